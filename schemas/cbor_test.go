package schemas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// byHand is a batch of one reading, written out from citygrid.cddl and RFC
// 8949 without the encoder.
const byHand = "a5" + // map of 5
	"00" + "01" + // 0 format: 1
	"01" + "63" + "632d31" + // 1 collector: "c-1"
	"02" + "66" + "313130313031" + // 2 area: "110101"
	"03" + "1b" + "0000019ca8695a90" + // 3 sealed_at: 1772352002704
	"04" + "81" + // 4 groups: array of 1
	"a3" + // map of 3
	"01" + "62" + "6d31" + // 1 meter: "m1"
	"02" + "1b" + "0000019ca8695a8f" + // 2 taken_at: 1772352002703
	"03" + "81" + // 3 readings: array of 1
	"a4" + // map of 4
	"01" + "6a" + "77617465722e666c6f77" + // 1 quantity: "water.flow"
	"02" + "64" + "6d332f68" + // 2 unit: "m3/h"
	"03" + "00" + // 3 quality: good
	"05" + "c4" + "82" + "21" + "1903e7" // 5 value: 4([-2, 999])

func TestBatchByHand(t *testing.T) {
	b := &Batch{Collector: "c-1", Area: "110101", Readings: []Reading{
		{Meter: "m1", Quantity: "water.flow", Unit: "m3/h", Value: Decimal{999, -2}}}}
	b.SealedAt = time.UnixMilli(1772352002704).UTC()
	b.Readings[0].TakenAt = time.UnixMilli(1772352002703).UTC()
	got, err := EncodeBatch(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(got) != byHand {
		t.Errorf("encoded\n%x, want\n%s", got, byHand)
	}
}

func TestRoundTrips(t *testing.T) {
	b := sampleBatch()
	if got, err := DecodeBatch(mustEncode(t, EncodeBatch, b)); err != nil || !reflect.DeepEqual(got, b) {
		t.Errorf("batch came back as %+v, %v", got, err)
	}
	s := sampleStatus()
	if got, err := DecodeStatus(mustEncode(t, EncodeStatus, s)); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("status came back as %+v, %v", got, err)
	}
	r := sampleReceipt()
	if got, err := DecodeReceipt(mustEncode(t, EncodeReceipt, r)); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("receipt came back as %+v, %v", got, err)
	}
}

func mustEncode[T any](t testing.TB, encode func([]byte, *T) ([]byte, error), v *T) []byte {
	t.Helper()
	out, err := encode(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodeAppends(t *testing.T) {
	dst := []byte("head")
	out, err := EncodeReceipt(dst, sampleReceipt())
	if err != nil || !bytes.HasPrefix(out, dst) {
		t.Fatalf("got %x, %v", out, err)
	}
	bad := sampleReceipt()
	bad.Stored = nil
	if out, err = EncodeReceipt(dst, bad); err == nil || string(out) != "head" {
		t.Errorf("after a refusal: %q, %v", out, err)
	}
}

func TestBatchOf100StaysSmall(t *testing.T) {
	if n := len(mustEncode(t, EncodeBatch, batchOf(100))); n > 7000 {
		t.Errorf("100 readings take %d bytes, want at most 7000", n)
	}
	// The worst case: every reading of another meter, the longest ids.
	b := batchOf(MaxReadings)
	for i := range b.Readings {
		b.Readings[i].Meter = MeterID(strings.Repeat("m", 30)) + MeterID([]byte{byte('a' + i/16), byte('a' + i%16)})
	}
	if n := len(mustEncode(t, EncodeBatch, b)); n > 32000 {
		t.Errorf("the largest batch takes %d bytes, want at most 32000", n)
	}
}

func TestVersionIsCheckedFirst(t *testing.T) {
	// A later version may have any other fields.
	later := mustMarshal(t, map[int]any{0: 2, 1: true, 77: "new"})
	_, err := DecodeBatch(later)
	var ve *VersionError
	if !errors.As(err, &ve) || ve.Got != 2 {
		t.Fatalf("error %v, want a VersionError", err)
	}
	if want := "decode batch: batch version 2: this hub knows 1; update the hub"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if _, err := DecodeReceipt(later); err == nil || !strings.Contains(err.Error(), "update the collector") {
		t.Errorf("error %v, want advice to update the collector", err)
	}
}

func TestDecodedBatchSharesNoMemory(t *testing.T) {
	data := mustEncode(t, EncodeBatch, sampleBatch())
	b, err := DecodeBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 'x'
	}
	if !reflect.DeepEqual(b, sampleBatch()) {
		t.Error("the batch changed with the bytes it came from")
	}
}

// independent re-encodes data with another library under the same rules
// [RFC 8949 4.2.1].
func independent(t testing.TB, data []byte) []byte {
	t.Helper()
	dec, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := dec.Unmarshal(data, &v); err != nil {
		t.Fatalf("an independent decoder refuses it: %v", err)
	}
	return mustMarshal(t, v)
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := enc.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDeterministicByAnotherLibrary(t *testing.T) {
	for name, data := range map[string][]byte{
		"batch":   mustEncode(t, EncodeBatch, sampleBatch()),
		"origins": mustEncode(t, EncodeBatch, sampleOrigins()),
		"status":  mustEncode(t, EncodeStatus, sampleStatus()),
		"health":  mustEncode(t, EncodeStatus, sampleHealth()),
		"frames":  mustEncode(t, EncodeStatus, sampleFrames()),
		"receipt": mustEncode(t, EncodeReceipt, sampleReceipt()),
		"cards":   mustEncode(t, EncodeCardBatch, sampleCards()),
		"events":  mustEncode(t, EncodeEventBatch, sampleEvents()),
	} {
		if got := independent(t, data); !bytes.Equal(got, data) {
			t.Errorf("%s: ours\n%x, theirs\n%x", name, data, got)
		}
	}
}

// Every cut of a message is refused, and no byte can be changed into another
// encoding of the same value.
func TestEveryCutAndEveryByte(t *testing.T) {
	data := mustEncode(t, EncodeBatch, sampleBatch())
	everyCutAndEveryByte(t, data, DecodeBatch, EncodeBatch)
	everyCutAndEveryByte(t, mustEncode(t, EncodeBatch, sampleOrigins()), DecodeBatch, EncodeBatch)
	everyCutAndEveryByte(t, mustEncode(t, EncodeStatus, sampleHealth()), DecodeStatus, EncodeStatus)
	everyCutAndEveryByte(t, mustEncode(t, EncodeStatus, sampleFrames()), DecodeStatus, EncodeStatus)
}

func everyCutAndEveryByte[T any](t *testing.T, data []byte, decode func([]byte) (*T, error), encode func([]byte, *T) ([]byte, error)) {
	for n := range data {
		if _, err := decode(data[:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(data))
		}
	}
	for i := range data {
		for _, flip := range []byte{1, 0x10, 0x20, 0x80, 0xff} {
			changed := bytes.Clone(data)
			changed[i] ^= flip
			checkAccepted(t, changed, decode, encode)
		}
	}
}

// checkAccepted holds a decoder to its promise for any bytes.
func checkAccepted[T any](t testing.TB, data []byte, decode func([]byte) (*T, error), encode func([]byte, *T) ([]byte, error)) {
	t.Helper()
	v, err := decode(data)
	if err != nil {
		var fe *FieldError
		var ve *VersionError
		if !errors.As(err, &fe) && !errors.As(err, &ve) {
			t.Fatalf("%T is neither a FieldError nor a VersionError: %v", err, err)
		}
		return
	}
	again, err := encode(nil, v)
	if err != nil || !bytes.Equal(again, data) {
		t.Fatalf("accepted %x, encoded again as %x, %v", data, again, err)
	}
	if got := independent(t, data); !bytes.Equal(got, data) {
		t.Fatalf("not deterministic: %x, want %x", data, got)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(mustEncode(f, EncodeBatch, sampleBatch()))
	f.Add(mustEncode(f, EncodeBatch, batchOf(12)))
	f.Add(mustEncode(f, EncodeBatch, sampleOrigins()))
	addNegatives(f, "batch")
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeBatch, EncodeBatch) })
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add(mustEncode(f, EncodeStatus, sampleStatus()))
	f.Add(mustEncode(f, EncodeStatus, sampleHealth()))
	f.Add(mustEncode(f, EncodeStatus, sampleFrames()))
	addNegatives(f, "status")
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeStatus, EncodeStatus) })
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add(mustEncode(f, EncodeReceipt, sampleReceipt()))
	addNegatives(f, "receipt")
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeReceipt, EncodeReceipt) })
}

func BenchmarkEncodeBatch(b *testing.B) {
	batch := batchOf(100)
	dst := make([]byte, 0, 16384)
	b.ReportAllocs()
	for b.Loop() {
		out, err := EncodeBatch(dst, batch)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out)))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/reading")
}

func BenchmarkDecodeBatch(b *testing.B) {
	data := mustEncode(b, EncodeBatch, batchOf(100))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeBatch(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/reading")
}
