// Package media keeps the photos, sound and films of cases. What is kept is named
// by the SM3 digest of its bytes, so that the same photo is kept once, a repeated
// upload is harmless, and a photo that was changed shows. Where a camera wrote the
// position into a photo it is read, told to the caller, and taken out of what is
// kept, with everything else that a camera writes about its owner.
package media

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// Digest names an object: 64 lower-case hexadecimal digits of SM3 [GB/T 32905].
type Digest string

// Validate reports a text that cannot be a digest.
func (d Digest) Validate() error {
	b, err := hex.DecodeString(string(d))
	if err != nil || len(b) != 32 || strings.ToLower(string(d)) != string(d) {
		return fmt.Errorf("media digest %.80q: want 64 lower-case hexadecimal digits (SM3)", string(d))
	}
	return nil
}

func digestOf(data []byte) Digest {
	h := gm.NewSM3()
	h.Write(data)
	return Digest(hex.EncodeToString(h.Sum(nil)))
}

// Kind is what an object is.
type Kind string

// The kinds.
const (
	Image Kind = "image"
	Audio Kind = "audio"
	Video Kind = "video"
)

// Object is what was taken.
type Object struct {
	// Digest is that of what is kept, Original that of what was sent; they are the
	// same where nothing had to be taken out.
	Digest, Original Digest
	Kind             Kind
	Type             string // such as image/jpeg: what the bytes are, not what the sender called them
	Size             int64  // of what is kept, bytes
	// Position is where the camera believed to be (WGS84), TakenAt what its clock
	// showed, in the zone that the photo names or else that of the library; zero where
	// the file does not say.
	Position schemas.Position
	TakenAt  time.Time
}

// The errors that callers tell apart. Each is wrapped with what to do.
var (
	ErrTooLarge = errors.New("larger than this city takes")
	ErrType     = errors.New("not a kind of file that is taken")
	ErrDamaged  = errors.New("damaged")
	ErrAbsent   = errors.New("no such object")
	ErrChanged  = errors.New("the bytes are not those that were kept under this digest; restore the object from the back-up")
)

// Store keeps bytes under their digest.
type Store interface {
	// Put keeps data, durably, before it returns. Doing it again changes nothing.
	Put(ctx context.Context, d Digest, mediaType string, data []byte) error
	// Get returns what is kept, or an error that wraps ErrAbsent.
	Get(ctx context.Context, d Digest) (io.ReadCloser, error)
}

// Limits bound what is taken, in bytes; 0 takes none of the kind.
type Limits struct{ Image, Audio, Video int64 }

// DefaultLimits are 10 MiB for a photo and for sound, 50 MiB for a film: a phone's
// photo has 2 to 6 MiB, and the pages send smaller ones.
func DefaultLimits() Limits {
	return Limits{Image: 10 << 20, Audio: 10 << 20, Video: 50 << 20}
}

func (l Limits) of(k Kind) int64 {
	return map[Kind]int64{Image: l.Image, Audio: l.Audio, Video: l.Video}[k]
}

func (l Limits) most() int64 { return max(l.Image, l.Audio, l.Video) }

// Library takes and gives media.
type Library struct {
	Store  Store
	Limits Limits
	// Zone is that of camera clocks that name none; nil means UTC.
	Zone *time.Location
}

// Take reads what somebody sent to its end, checks it, takes out what a camera
// wrote about its owner, and keeps it. An error wraps ErrTooLarge, ErrType or
// ErrDamaged where the fault is the sender's; nothing is kept then.
func (l *Library) Take(ctx context.Context, r io.Reader) (Object, error) {
	data, err := io.ReadAll(io.LimitReader(r, l.Limits.most()+1))
	if err != nil {
		return Object{}, fmt.Errorf("receive media: %w", err)
	}
	if len(data) == 0 {
		return Object{}, fmt.Errorf("media of 0 bytes: %w; send it again", ErrDamaged)
	}
	kind, mediaType, err := typeOf(data)
	if err != nil {
		return Object{}, err
	}
	if most := l.Limits.of(kind); int64(len(data)) > most {
		return Object{}, fmt.Errorf("%s of more than %d bytes: %w; send a smaller one", kind, most, ErrTooLarge)
	}
	o := Object{Original: digestOf(data), Kind: kind, Type: mediaType}
	if kind == Image {
		o.Position, o.TakenAt = l.camera(data, mediaType)
	}
	kept, err := strip(data, mediaType)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", mediaType, err)
	}
	o.Digest, o.Size = digestOf(kept), int64(len(kept))
	if err := l.Store.Put(ctx, o.Digest, o.Type, kept); err != nil {
		return Object{}, fmt.Errorf("keep media: %w", err)
	}
	return o, nil
}

// Open returns what is kept under d, whole and checked against its digest, and its
// type.
func (l *Library) Open(ctx context.Context, d Digest) (data []byte, mediaType string, err error) {
	if err := d.Validate(); err != nil {
		return nil, "", err
	}
	r, err := l.Store.Get(ctx, d)
	if err != nil {
		return nil, "", fmt.Errorf("media %s: %w", d, err)
	}
	defer r.Close()
	data, err = io.ReadAll(r)
	if err != nil {
		return nil, "", fmt.Errorf("media %s: %w", d, err)
	}
	if digestOf(data) != d {
		return nil, "", fmt.Errorf("media %s: %w", d, ErrChanged)
	}
	_, mediaType, err = typeOf(data)
	return data, mediaType, err
}

// signature is how a kind of file begins.
type signature struct {
	at        int
	bytes     string
	kind      Kind
	mediaType string
}

// signatures are those of the media sniffing standard [mimesniff.spec.whatwg.org,
// section 6], and the brands of ISO base media files [ISO/IEC 14496-12, 4.3].
func signatures() []signature {
	return []signature{
		{0, "\xff\xd8\xff", Image, "image/jpeg"},
		{0, "\x89PNG\r\n\x1a\n", Image, "image/png"},
		{8, "WEBP", Image, "image/webp"},
		{4, "ftypM4A", Audio, "audio/mp4"},
		{4, "ftypmp4", Video, "video/mp4"},
		{4, "ftypiso", Video, "video/mp4"},
		{4, "ftypavc1", Video, "video/mp4"},
		{4, "ftypMSNV", Video, "video/mp4"},
		{4, "ftyp3gp", Video, "video/3gpp"},
		{4, "ftypqt  ", Video, "video/quicktime"},
		{0, "ID3", Audio, "audio/mpeg"},
		{0, "OggS", Audio, "audio/ogg"},
		{8, "WAVE", Audio, "audio/wav"},
	}
}

// typeOf says what data is from its own first bytes.
func typeOf(data []byte) (Kind, string, error) {
	for _, s := range signatures() {
		if len(data) > s.at && bytes.HasPrefix(data[s.at:], []byte(s.bytes)) {
			return s.kind, s.mediaType, nil
		}
	}
	if mpegFrame(data) { // no ID3 before it
		return Audio, "audio/mpeg", nil
	}
	return "", "", fmt.Errorf("the file begins with % x: %w; send a photo as JPEG, PNG or WebP, sound as M4A, MP3, Ogg or WAV, a film as MP4", data[:min(8, len(data))], ErrType)
}

// mpegFrame reports whether data begins with a frame of MPEG audio.
func mpegFrame(data []byte) bool {
	return len(data) > 2 && data[0] == 0xff && data[1]&0xe0 == 0xe0 && data[1]&0x06 != 0
}
