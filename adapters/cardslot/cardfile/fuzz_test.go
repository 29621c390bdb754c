package cardfile

import (
	"bytes"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"citygrid/schemas"
)

type encoder interface{ Encode() ([]byte, error) }

// back checks that what decodes is encoded byte for byte.
func back[T encoder](f *testing.F, decode func([]byte) (T, error), seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decode(seal(b))
		if err != nil {
			return
		}
		if got, err := x.Encode(); err != nil || !bytes.Equal(got, seal(b)) {
			t.Errorf("%X is decoded to %+v and encoded to %X, %v", seal(b), x, got, err)
		}
	})
}

// seal corrects the checksum of a frame, so that the fuzzer gets past it.
func seal(b []byte) []byte {
	if len(b) < 8 || b[0] != 0x68 {
		return b
	}
	b = bytes.Clone(b)
	b[len(b)-2] = sum(b[1 : len(b)-2])
	return b
}

func FuzzPublic(f *testing.F) {
	back(f, DecodePublic, append([]byte{0x31, 1, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 1, 7}, make([]byte, 25)...))
}

func FuzzWallet(f *testing.F) {
	back(f, func(b []byte) (Wallet, error) { return DecodeWallet(b, schemas.CreditLitre) }, unhex(f, walletVector))
}

func FuzzParameters(f *testing.F) { back(f, DecodeParameters, unhex(f, parametersVector)) }

func FuzzPowerReturn(f *testing.F) { back(f, DecodePowerReturn, framed(f, powerReturnBody)) }

func FuzzPurchase(f *testing.F) {
	back(f, func(b []byte) (Purchase, error) { return DecodePurchase(b, schemas.CreditFen) }, unhex(f, purchaseVector))
}

func FuzzUtilityReturn(f *testing.F) {
	back(f, func(b []byte) (UtilityReturn, error) { return DecodeUtilityReturn(b, schemas.CreditFen) }, framed(f, utilityReturnBody))
}

// prices and steps are frames as encoder.
type (
	prices struct{ Frame }
	steps  struct{ Frame }
)

func (p prices) Encode() ([]byte, error) { return p.EncodePrices() }
func (s steps) Encode() ([]byte, error)  { return s.EncodeSteps() }

func FuzzPrices(f *testing.F) {
	back(f, func(b []byte) (prices, error) { x, err := DecodePrices(b); return prices{x}, err },
		mustEncode(f, prices{Frame{1, make([]byte, PriceSize-6)}}), mustEncode(f, prices{Frame{1, make([]byte, StatePriceSize-6)}}))
}

func FuzzSteps(f *testing.F) {
	back(f, func(b []byte) (steps, error) { x, err := DecodeSteps(b); return steps{x}, err }, mustEncode(f, steps{Frame{1, make([]byte, StepSize-5)}}))
}

func mustEncode(t testing.TB, x encoder) []byte {
	t.Helper()
	b, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// within makes fields of generated structures fit their widths.
func within(r *rand.Rand, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Time{}
		if r.Intn(4) > 0 {
			*x = beijingTime(2000+r.Intn(100), 1, 1, 0, 0, 0).AddDate(0, 0, r.Intn(365))
		}
		return
	case *schemas.Credit:
		*x = schemas.Credit{Value: r.Int63n(1 << 32), Unit: schemas.CreditFen}
		return
	case *schemas.Fen:
		*x = schemas.Fen(r.Int63n(100_000_000))
		return
	case *Number:
		*x = Number(r.Int63n(1_000_000_000_000))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			within(r, v.Field(i))
		}
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(uint64(r.Uint32()) & (1<<v.Type().Bits() - 1))
	case reflect.Uint32:
		v.SetUint(uint64(r.Intn(1_000_000))) // six digits, where the field is BCD
	case reflect.Array:
		for i := range v.Len() {
			within(r, v.Index(i))
		}
	}
}

// roundTrip checks that any structure whose fields fit comes back as it was.
func roundTrip[T encoder](t *testing.T, decode func([]byte) (T, error)) {
	t.Helper()
	r := rand.New(rand.NewSource(4))
	err := quick.Check(func() bool {
		var x T
		within(r, reflect.ValueOf(&x).Elem())
		b, err := x.Encode()
		if err != nil {
			t.Errorf("encode %+v: %v", x, err)
			return false
		}
		got, err := decode(b)
		return err == nil && reflect.DeepEqual(got, x)
	}, &quick.Config{MaxCount: 2000, Rand: r})
	if err != nil {
		t.Error(err)
	}
}

func TestRoundTrips(t *testing.T) {
	roundTrip(t, DecodeParameters)
	roundTrip(t, DecodePowerReturn)
	roundTrip(t, func(b []byte) (Wallet, error) { return DecodeWallet(b, schemas.CreditFen) })
	roundTrip(t, func(b []byte) (Purchase, error) { return DecodePurchase(b, schemas.CreditFen) })
	roundTrip(t, func(b []byte) (UtilityReturn, error) { return DecodeUtilityReturn(b, schemas.CreditFen) })
}

func BenchmarkDecode(b *testing.B) {
	bench := func(name string, file []byte, decode func([]byte) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	public := append([]byte{0x31, 1, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 1, 7}, make([]byte, 25)...)
	bench("public", public, func(f []byte) error { _, err := DecodePublic(f); return err })
	bench("wallet", unhex(b, walletVector), func(f []byte) error { _, err := DecodeWallet(f, schemas.CreditFen); return err })
	bench("parameters", unhex(b, parametersVector), func(f []byte) error { _, err := DecodeParameters(f); return err })
	bench("power-return", framed(b, powerReturnBody), func(f []byte) error { _, err := DecodePowerReturn(f); return err })
	bench("purchase", unhex(b, purchaseVector), func(f []byte) error { _, err := DecodePurchase(f, schemas.CreditFen); return err })
	bench("utility-return", framed(b, utilityReturnBody), func(f []byte) error { _, err := DecodeUtilityReturn(f, schemas.CreditFen); return err })
	bench("prices", mustEncode(b, prices{Frame{1, make([]byte, PriceSize-6)}}), func(f []byte) error { _, err := DecodePrices(f); return err })
	bench("steps", mustEncode(b, steps{Frame{1, make([]byte, StepSize-5)}}), func(f []byte) error { _, err := DecodeSteps(f); return err })
}
