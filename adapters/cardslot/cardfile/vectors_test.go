package cardfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// Two whole files made up from the layouts and computed by hand, with a wallet.
const (
	parametersVector = "680100270080000000002607010000000000500000002000000001000001000000000161112233445566021116"
	purchaseVector   = "68012D0000000007890000001122330101021000000013880003000003E80000012C0001869F00000000000A000000001E16"
	walletVector     = "0000271000000001"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fen(v int64) schemas.Credit { return schemas.Credit{Value: v, Unit: schemas.CreditFen} }

// beijingTime is a moment on the clock of a meter.
func beijingTime(y, mo, d, h, mi, s int) time.Time {
	return time.Date(y, time.Month(mo), d, h, mi, s, 0, time.FixedZone("UTC+8", 8*60*60)).UTC()
}

func TestVectors(t *testing.T) {
	t.Run("parameters", func(t *testing.T) {
		got, err := DecodeParameters(unhex(t, parametersVector))
		want := Parameters{
			Command: 1, Update: UpdateParameters, SwitchAt: beijingTime(2026, 7, 1, 0, 0, 0), Alarm1: 50_00, Alarm2: 20_00, CT: 1, PT: 1,
			Meter: 161, Customer: 112233445566, Type: Purchased,
		}
		if err != nil || got != want {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		same(t, parametersVector, got.Encode)
	})
	t.Run("purchase", func(t *testing.T) {
		got, err := DecodePurchase(unhex(t, purchaseVector), schemas.CreditFen)
		want := Purchase{
			Command: 1, Head: Head{Meter: 789, Customer: 112233, SubMeter: 1, Tariff: 1, Type: Purchased, MeterType: 0x10},
			Amount: fen(50_00), Count: 3, Limits: Limits{fen(1000), fen(300), fen(99999), fen(0)}, PulseConstant: 10,
		}
		if err != nil || got != want {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		same(t, purchaseVector, got.Encode)
	})
	t.Run("wallet", func(t *testing.T) {
		got, err := DecodeWallet(unhex(t, walletVector), schemas.CreditFen)
		if want := (Wallet{fen(100_00), 1}); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		same(t, walletVector, got.Encode)
	})
}

// same checks that encode gives the file in hexadecimal digits.
func same(t *testing.T, want string, encode func() ([]byte, error)) {
	t.Helper()
	b, err := encode()
	if got := strings.ToUpper(hex.EncodeToString(b)); err != nil || got != want {
		t.Errorf("encoded %s, %v\nwant    %s", got, err, want)
	}
}

// framed completes a frame around head and data.
func framed(t testing.TB, body string) []byte {
	b := unhex(t, body)
	return append(append([]byte{0x68}, b...), sum(b), 0x16)
}

// powerReturnBody and utilityReturnBody are return files without 68, checksum and
// 16, field by field in the order of the layouts.
const (
	powerReturnBody = "01002B" + "5A" + "000001" + "000002" + "000000000161" + "112233445566" +
		"00001F40" + "00000007" + "00000064" + "01020304" + "000012" + "2611210830"
	utilityReturnBody = "0177" + "000000000789" + "000000112233" + "01" + "02" + "02" + "30" + "80" + "A1A2" +
		"00001388" + "0003" + "000003E8" + "0000012C" + "0001869F" + "00000032" +
		"0005" + "00000FA0" + "00004E20" + "00003E80" + "0000ABCD" + "0021" + "000A" +
		"000100020003000400050006000700080009000A000B000C000D000E000F00100011001200130014001500160017" + "0018" +
		"20261121083015" + "77"
)

func TestReturnFiles(t *testing.T) {
	power, err := DecodePowerReturn(framed(t, powerReturnBody))
	wantPower := PowerReturn{
		Command: 1, Reserved: 0x5A, CT: 1, PT: 2, Meter: 161, Customer: 112233445566, Remaining: 80_00, Count: 7, Overdraft: 1_00,
		KeyState: 0x01020304, Illegal: 12, WrittenAt: beijingTime(2026, 11, 21, 8, 30, 0),
	}
	if err != nil || power != wantPower {
		t.Errorf("got %+v, %v\nwant %+v", power, err, wantPower)
	}
	got, err := DecodeUtilityReturn(framed(t, utilityReturnBody), schemas.CreditLitre)
	litres := func(v int64) schemas.Credit { return schemas.Credit{Value: v, Unit: schemas.CreditLitre} }
	want := UtilityReturn{
		Command: 1, Head: Head{789, 112233, 1, 2, Purchased, 0x30, 0x80}, Reserved1: [2]byte{0xA1, 0xA2},
		LastAmount: litres(5000), Count: 3, Limits: Limits{litres(1000), litres(300), litres(99999), litres(50)},
		State: 5, Remaining: litres(4000), Bought: litres(20000), Used: litres(16000), Pulses: 0xABCD,
		ThisMonth: 0x21, PulseConstant: 10, WrittenAt: beijingTime(2026, 11, 21, 8, 30, 15), Reserved2: 0x77,
	}
	for i := range want.Months {
		want.Months[i] = uint16(i + 1)
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestPublic(t *testing.T) {
	file := unhex(t, "31010001"+"0011223344556677"+"01"+"07"+"112233445566"+"20260101"+"20361231"+"0102030405060708090A0B")
	got, err := DecodePublic(file)
	want := Public{
		Issuer: "31010001", Serial: Serial{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}, Applications: HasPower | HasWater | HasGas,
		Customer: 112233445566, ValidFrom: beijingTime(2026, 1, 1, 0, 0, 0), ValidTo: beijingTime(2036, 12, 31, 0, 0, 0),
		Reserved: [11]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
	}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	if got.Issuer.City() != "3101" || got.Serial.ID() != "0011223344556677" || got.Customer.String() != "112233445566" {
		t.Errorf("%s, %s, %s", got.Issuer.City(), got.Serial.ID(), got.Customer)
	}
	if b, err := got.Encode(); err != nil || !bytes.Equal(b, file) {
		t.Errorf("encoded %X, %v", b, err)
	}
}

// TestRefusals breaks one thing at a time and wants the place named.
func TestRefusals(t *testing.T) {
	parameters := func(b []byte) error { _, err := DecodeParameters(b); return err }
	purchase := func(b []byte) error { _, err := DecodePurchase(b, schemas.CreditFen); return err }
	powerReturn := func(b []byte) error { _, err := DecodePowerReturn(b); return err }
	utilityReturn := func(b []byte) error { _, err := DecodeUtilityReturn(b, schemas.CreditFen); return err }
	public := func(b []byte) error { _, err := DecodePublic(b); return err }
	power, utility := hex.EncodeToString(framed(t, powerReturnBody)), hex.EncodeToString(framed(t, utilityReturnBody))
	for _, c := range []struct {
		name, file string
		decode     func([]byte) error
		at         int  // byte to change, -1: cut the last byte off
		to         byte // what to change it to
		sum        bool // and correct the checksum
		field      string
		offset     int
	}{
		{"short", parametersVector, parameters, -1, 0, false, "length", 0},
		{"start", parametersVector, parameters, 0, 0x67, false, "start", 0},
		{"end", parametersVector, parameters, 44, 0x17, false, "end", 44},
		{"length", parametersVector, parameters, 3, 0x26, true, "data length", 2},
		{"checksum", parametersVector, parameters, 20, 0x01, false, "checksum", 43},
		{"checksum itself", parametersVector, parameters, 43, 0x12, false, "checksum", 43},
		{"BCD of alarm", parametersVector, parameters, 18, 0x5A, true, "alarm 1", 18},
		{"BCD of meter", parametersVector, parameters, 35, 0xF1, true, "meter number", 35},
		{"month 13", parametersVector, parameters, 11, 0x13, true, "tariff switch", 10},
		{"minute 60", parametersVector, parameters, 14, 0x60, true, "tariff switch", 10},
		{"purchase length", purchaseVector, purchase, 2, 0x2C, true, "data length", 2},
		{"BCD of customer", purchaseVector, purchase, 14, 0x3C, true, "customer number", 14},
		{"power return, illegal", power, powerReturn, 40, 0xAA, true, "illegal cards", 40},
		{"power return, day 31 of November", power, powerReturn, 44, 0x31, true, "write-back time", 42},
		{"return, year 1926", utility, utilityReturn, 114, 0x19, true, "write-back time", 114},
		{"return, second 60", utility, utilityReturn, 120, 0x60, true, "write-back time", 114},
		{"layout", strings.Repeat("00", 12) + "02" + strings.Repeat("00", 26), public, 13, 0, false, "layout", 12},
		{"applications", strings.Repeat("00", 12) + "0108" + strings.Repeat("00", 25), public, 14, 0, false, "applications", 13},
		{"valid from", strings.Repeat("00", 12) + "01" + strings.Repeat("00", 26), public, 23, 0x01, false, "valid from", 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.file)
			if c.at < 0 {
				b = b[:len(b)-1]
			} else {
				b[c.at] = c.to
			}
			if c.sum {
				b[len(b)-2] = sum(b[1 : len(b)-2])
			}
			var e *FieldError
			if err := c.decode(b); !errors.As(err, &e) || e.Field != c.field || e.Offset != c.offset {
				t.Errorf("%v; want %s at %d", err, c.field, c.offset)
			}
		})
	}
}

// TestEncodeRefusesWhatDoesNotFit: a number is never cut to the width of its
// field.
func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		field  string
		encode func() ([]byte, error)
	}{
		{"amount", Wallet{Amount: fen(1 << 32)}.Encode},
		{"amount", Wallet{Amount: fen(-1)}.Encode},
		{"alarm 1", Parameters{Alarm1: 1_000_000_00}.Encode},
		{"alarm 2", Parameters{Alarm2: -1}.Encode},
		{"CT", Parameters{CT: 1_000_000}.Encode},
		{"meter number", Parameters{Meter: 1_000_000_000_000}.Encode},
		{"tariff switch", Parameters{SwitchAt: beijingTime(2026, 7, 1, 0, 0, 1)}.Encode},
		{"tariff switch", Parameters{SwitchAt: beijingTime(2100, 1, 1, 0, 0, 0)}.Encode},
		{"remaining", PowerReturn{Remaining: -1}.Encode},
		{"illegal cards", PowerReturn{Illegal: 1_000_000}.Encode},
		{"customer number", Purchase{Head: Head{Customer: 1 << 62}}.Encode},
		{"hoard limit", Purchase{Limits: Limits{Hoard: fen(-5)}}.Encode},
		{"write-back time", UtilityReturn{WrittenAt: beijingTime(1999, 12, 31, 0, 0, 0)}.Encode},
		{"issuer", Public{Issuer: "3101"}.Encode},
		{"applications", Public{Issuer: "31010001", Applications: 8}.Encode},
		{"valid to", Public{Issuer: "31010001", ValidTo: beijingTime(2036, 12, 31, 1, 0, 0)}.Encode},
		{"data", Frame{Data: make([]byte, 7)}.EncodeSteps},
		{"data", Frame{Data: make([]byte, 7)}.EncodePrices},
	} {
		var e *FieldError
		if b, err := c.encode(); !errors.As(err, &e) || e.Field != c.field || b != nil {
			t.Errorf("%X, %v; want a refusal of %s", b, err, c.field)
		}
	}
}

func TestFrames(t *testing.T) {
	for _, size := range []int{PriceSize, StatePriceSize} {
		want := Frame{Command: 1, Data: bytes.Repeat([]byte{0xA5}, size-6)}
		b, err := want.EncodePrices()
		if err != nil || len(b) != size {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if got, err := DecodePrices(b); err != nil || got.Command != 1 || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%+v, %v", got, err)
		}
		b[9]++
		if _, err := DecodePrices(b); err == nil {
			t.Error("a wrong checksum is accepted")
		}
	}
}

func TestBlank(t *testing.T) {
	for file, want := range map[string]bool{"": true, "0000": true, "FFFF": true, "00FF": false, "0001": false, "1111": false} {
		if got := Blank(unhex(t, file)); got != want {
			t.Errorf("Blank(%s) = %t", file, got)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]Number{"1": 1, "000000000161": 161, "999999999999": 999999999999} {
		if got, err := ParseNumber(s); err != nil || got != want {
			t.Errorf("ParseNumber(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1234567890123", "12a", "-1", " 1"} {
		if got, err := ParseNumber(s); err == nil {
			t.Errorf("ParseNumber(%q) = %d", s, got)
		}
	}
}
