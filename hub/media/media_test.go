package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"citygrid/internal/secret"
	"citygrid/schemas"
)

// The photos in testdata were made by Pillow 11 and piexif: a picture of 48 x 32
// with a place, a time with its zone, an orientation of 6, and the name Zhang San
// wherever the form has room for a name.
func photo(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func onDisk(t *testing.T) *Library {
	t.Helper()
	d, err := OpenDisk(filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	return &Library{Store: d, Limits: DefaultLimits()}
}

func TestTakenPhotosTellPlaceAndTimeAndKeepNeither(t *testing.T) {
	for _, name := range []string{"baseline.jpg", "progressive.jpg", "photo.png", "photo.webp", "lossless.webp"} {
		t.Run(name, func(t *testing.T) {
			l, sent := onDisk(t), photo(t, name)
			o, err := l.Take(t.Context(), bytes.NewReader(sent))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(o.Position.Lon-121.456789) > 1e-6 || math.Abs(o.Position.Lat-31.234567) > 1e-6 || o.Position.CRS != schemas.WGS84 {
				t.Errorf("position %+v, want 121.456789, 31.234567 in WGS84", o.Position)
			}
			if want := time.Date(2026, 11, 21, 0, 9, 10, 0, time.UTC); !o.TakenAt.Equal(want) {
				t.Errorf("taken at %s, want %s (08:09:10 at +08:00)", o.TakenAt, want)
			}
			kept, mediaType, err := l.Open(t.Context(), o.Digest)
			if err != nil || mediaType != o.Type || int64(len(kept)) != o.Size {
				t.Fatalf("open: %s, %d bytes, %v", mediaType, len(kept), err)
			}
			for _, trace := range []string{"Zhang", "Secret 1", "Phone", "2026:11:21"} {
				if bytes.Contains(kept, []byte(trace)) || !bytes.Contains(sent, []byte("Zhang")) {
					t.Errorf("%q is still in what is kept", trace)
				}
			}
			if p, at := l.camera(kept, mediaType); p.Known() || !at.IsZero() {
				t.Errorf("a second look still tells %+v, %s", p, at)
			}
			samePicture(t, sent, kept)
		})
	}
}

// samePicture compares the points of both pictures; WebP, which the standard library
// does not read, by its coded picture.
func samePicture(t *testing.T, sent, kept []byte) {
	t.Helper()
	if string(sent[8:12]) == "WEBP" {
		for _, name := range []string{"VP8 ", "VP8L"} {
			if !bytes.Equal(chunkOf(sent, name), chunkOf(kept, name)) {
				t.Errorf("chunk %q differs", name)
			}
		}
		if flags := chunkOf(kept, "VP8X"); len(flags) > 0 && flags[0]&0x0c != 0 {
			t.Errorf("VP8X flags %#x still announce Exif or XMP", flags[0])
		}
		return
	}
	a, _, err := image.Decode(bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := image.Decode(bytes.NewReader(kept))
	if err != nil {
		t.Fatalf("what is kept is no picture: %v", err)
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				t.Fatalf("point %d,%d differs", x, y)
			}
		}
	}
}

func chunkOf(webp []byte, name string) []byte {
	for at := 12; at+8 <= len(webp); {
		size := int(binary.LittleEndian.Uint32(webp[at+4:]))
		if string(webp[at:at+4]) == name {
			return webp[at+8 : at+8+size]
		}
		at += 8 + size + size&1
	}
	return nil
}

func TestAJPEGStaysTurned(t *testing.T) {
	for _, name := range []string{"baseline.jpg", "progressive.jpg"} {
		kept, err := stripJPEG(photo(t, name))
		if err != nil || orientation(kept) != 6 {
			t.Errorf("%s: orientation %d, %v; want 6", name, orientation(kept), err)
		}
	}
}

func TestWhatFollowsAPictureIsDropped(t *testing.T) {
	sent := photo(t, "progressive.jpg")
	plain, err := stripJPEG(sent)
	if err != nil {
		t.Fatal(err)
	}
	more, err := stripJPEG(append(bytes.Clone(sent), "a film of the garden"...))
	if err != nil || !bytes.Equal(plain, more) {
		t.Errorf("%d bytes with a tail, %d without: %v", len(more), len(plain), err)
	}
}

func box(name string, body ...[]byte) []byte {
	out := append([]byte{0, 0, 0, 0}, name...)
	for _, b := range body {
		out = append(out, b...)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

func TestAFilmLosesItsNotesAndNothingMoves(t *testing.T) {
	film := bytes.Join([][]byte{
		box("ftyp", []byte("mp42\x00\x00\x00\x00isom")),
		box("moov", box("mvhd", make([]byte, 100)), box("trak", box("udta", []byte("Zhang San"))), box("udta", box("\xa9xyz", []byte("+31.2345+121.4567/")))),
		box("mdat", []byte("the picture")),
	}, nil)
	l := onDisk(t)
	o, err := l.Take(t.Context(), bytes.NewReader(film))
	if err != nil || o.Kind != Video {
		t.Fatalf("%+v, %v", o, err)
	}
	kept, _, err := l.Open(t.Context(), o.Digest)
	if err != nil || len(kept) != len(film) || bytes.Index(kept, []byte("the picture")) != bytes.Index(film, []byte("the picture")) {
		t.Fatalf("%d of %d bytes, %v", len(kept), len(film), err)
	}
	for _, trace := range []string{"+31.2345", "Zhang San", "udta"} {
		if bytes.Contains(kept, []byte(trace)) {
			t.Errorf("%q is still there", trace)
		}
	}
}

func TestRefusedMediaSayWhyAndLeaveNothing(t *testing.T) {
	jpg := photo(t, "baseline.jpg")
	for _, c := range []struct {
		name string
		sent []byte
		want error
		says string
	}{
		{"nothing", nil, ErrDamaged, "0 bytes"},
		{"a program", []byte("MZ\x90\x00 and so on and on"), ErrType, "JPEG, PNG or WebP"},
		{"a page", []byte("<html><script>alert(1)</script>"), ErrType, "3c 68 74 6d"},
		{"half a photo", jpg[:len(jpg)-40], ErrDamaged, "no end"},
		{"a photo's head", jpg[:3], ErrDamaged, "byte 2"},
		{"too large", append(bytes.Clone(jpg), make([]byte, 4096)...), ErrTooLarge, "more than 2048 bytes"},
		{"a PNG with a flipped bit", flip(photo(t, "photo.png"), 60), ErrDamaged, "check sum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := onDisk(t)
			l.Limits = Limits{Image: 2048, Audio: 2048, Video: 4096}
			_, err := l.Take(t.Context(), bytes.NewReader(c.sent))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v with %q", err, c.want, c.says)
			}
			if list, _ := os.ReadDir(l.Store.(*Disk).dir); len(list) > 0 {
				t.Errorf("%d things are kept", len(list))
			}
		})
	}
}

func flip(data []byte, at int) []byte { data[at] ^= 1; return data }

func TestTheSamePhotoIsKeptOnce(t *testing.T) {
	l := onDisk(t)
	var last Object
	for n := range 3 {
		o, err := l.Take(t.Context(), bytes.NewReader(photo(t, "baseline.jpg")))
		if err != nil || n > 0 && o != last {
			t.Fatalf("%+v, want %+v: %v", o, last, err)
		}
		last = o
	}
	if last.Original == last.Digest {
		t.Error("the digest of what was sent is that of what is kept, although something was taken out")
	}
}

func TestAPhotoThatWasChangedShowsAndHeals(t *testing.T) {
	l := onDisk(t)
	o, err := l.Take(t.Context(), bytes.NewReader(photo(t, "baseline.jpg")))
	if err != nil {
		t.Fatal(err)
	}
	path := l.Store.(*Disk).path(o.Digest)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, flip(data, len(data)/2), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Open(t.Context(), o.Digest); !errors.Is(err, ErrChanged) {
		t.Errorf("%v, want ErrChanged", err)
	}
	if _, err := l.Take(t.Context(), bytes.NewReader(photo(t, "baseline.jpg"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Open(t.Context(), o.Digest); err != nil {
		t.Errorf("after it was sent again: %v", err)
	}
}

func TestUnknownAndUnsafeDigests(t *testing.T) {
	l := onDisk(t)
	if _, _, err := l.Open(t.Context(), digestOf([]byte("never sent"))); !errors.Is(err, ErrAbsent) {
		t.Errorf("%v, want ErrAbsent", err)
	}
	for _, d := range []Digest{"", "../../etc/passwd", Digest(strings.Repeat("A", 64)), Digest(strings.Repeat("g", 64))} {
		if _, _, err := l.Open(t.Context(), d); err == nil || errors.Is(err, ErrAbsent) {
			t.Errorf("digest %q: %v, want a refusal of the digest", d, err)
		}
	}
}

func TestABucketKeepsLikeAFolder(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(false)).Server())
	defer server.Close()
	c := S3Config{URL: server.URL, Bucket: "media", Region: "us-east-1", Access: "key", Secret: secret.New("secret")}
	s, err := NewS3(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no bucket media") {
		t.Fatalf("%v, want a word about the bucket", err)
	}
	makeBucket(t, c)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := &Library{Store: s, Limits: DefaultLimits()}
	for range 2 {
		o, err := l.Take(t.Context(), bytes.NewReader(photo(t, "photo.webp")))
		if err != nil {
			t.Fatal(err)
		}
		if kept, mediaType, err := l.Open(t.Context(), o.Digest); err != nil || mediaType != "image/webp" || int64(len(kept)) != o.Size {
			t.Fatalf("%s, %d bytes, %v", mediaType, len(kept), err)
		}
	}
	if _, _, err := l.Open(t.Context(), digestOf(nil)); !errors.Is(err, ErrAbsent) {
		t.Errorf("%v, want ErrAbsent", err)
	}
}

func FuzzTake(f *testing.F) {
	for _, name := range []string{"baseline.jpg", "progressive.jpg", "photo.png", "photo.webp", "lossless.webp"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(append(box("ftyp", []byte("mp42")), box("moov", box("udta"))...))
	l := &Library{Store: nowhere{}, Limits: Limits{Image: 1 << 16, Audio: 1 << 16, Video: 1 << 16}}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := l.Take(context.Background(), bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := strip(data, o.Type)
		if err != nil || digestOf(again) != o.Digest {
			t.Fatalf("not the same twice: %v", err)
		}
		twice, err := strip(again, o.Type)
		if err != nil || !bytes.Equal(twice, again) {
			t.Fatalf("what is kept is not taken as it is: %v", err)
		}
	})
}
