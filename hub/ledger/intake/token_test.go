package intake

import (
	"bytes"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/sts"
	"citygrid/internal/gm"
	"citygrid/schemas"
)

const tokenMapping = `name: tokens
version: "1"
content: sales
encoding: utf-8
delimiter: ","
names: true
channel: shop
utility: power
token_base: 2014
columns:
  order: {from: order}
  kind: {value: purchase}
  meter: {from: meter}
  purchase: {from: number}
  token: {from: token}
  tid: {from: tid}
  issued: {from: made, format: "2006-01-02 15:04"}
  amount: {from: yuan}
  at: {from: at}
`

// secret is a token as printed; nobody opens it.
var secret = sts.Token{Class: sts.Credit, Block: 0x0123456789ABCDEF}.String()

const tokenTitle = "order,meter,token,tid,made,number,yuan,at\n"

func tokenOptions(t *testing.T) (*Mapping, Options) {
	t.Helper()
	m, err := Load([]byte(tokenMapping))
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	day := must(ledger.ParseDay("2026-11-21"))
	o.Day, o.Number = &day, 1
	return m, o
}

// TestTokens: a row with a token has the token's identifier for its purchase, and
// the books get the file without its tokens.
func TestTokens(t *testing.T) {
	m, o := tokenOptions(t)
	// 2026-11-21 09:30 in China is 6,778,170 minutes from 2014.
	text := tokenTitle +
		"A,P-1," + secret + ",6778170,,,50.00,2026-11-21T09:31:00+08:00\n" +
		"B,P-1,\"" + secret + "\",,2026-11-21 09:30,,50.00,2026-11-21T09:31:00+08:00\n" +
		"C,P-1," + strings.ReplaceAll(secret, " ", "") + ",6778170,2026-11-21 09:30,,50.00,2026-11-21T09:31:00+08:00\n" +
		"F,P-1," + secret + ",,,tid:9,50.00,2026-11-21T09:31:00+08:00\n" +
		"D,P-1,,,,7,50.00,2026-11-21T09:31:00+08:00\n" +
		"E,P-1,,,,tid:9,50.00,2026-11-21T09:31:00+08:00\n"
	f, err := read(text, m, o)
	if err != nil {
		t.Fatal(err)
	}
	tid := func(n uint32) schemas.PurchaseRef { return schemas.PurchaseRef{Scheme: schemas.ByTID, Number: n} }
	for n, want := range []schemas.PurchaseRef{tid(6778170), tid(6778170), tid(6778170), tid(9), {Scheme: schemas.BySequence, Number: 7}, tid(9)} {
		if got := f.Sales[n].Purchase; got != want {
			t.Errorf("row %d: %v, want %v", n, got, want)
		}
	}
	if bytes.Contains(f.Raw, []byte(secret)) || bytes.Contains(f.Raw, []byte(strings.ReplaceAll(secret, " ", ""))) || len(f.Raw) != len(text) ||
		!bytes.Contains(f.Raw, []byte("A,P-1,************************,6778170,")) {
		t.Errorf("the books would keep\n%s", f.Raw)
	}
	h := gm.NewSM3()
	h.Write([]byte(text))
	if !bytes.Equal(h.Sum(nil), f.Digest[:]) {
		t.Error("the digest is not of the file as it came")
	}
}

// TestTokenMistakes: what cannot be is said, and no message shows a token.
func TestTokenMistakes(t *testing.T) {
	m, o := tokenOptions(t)
	const rest = ",50.00,2026-11-21T09:31:00+08:00\n"
	for name, c := range map[string]struct{ row, want string }{
		"no identifier":       {"A,P-1," + secret + ",,," + rest, "neither its identifier"},
		"a plain number":      {"A,P-1," + secret + ",,,7" + rest, "neither its identifier"},
		"19 digits":           {"A,P-1," + secret[:len(secret)-1] + ",5,," + rest, "of 19 characters"},
		"a test token":        {"A,P-1,5649 3153 7254 5031 3471,5,," + rest, "a test token"},
		"mistyped":            {"A,P-1,5649 3153 7254 5031 3472,5,," + rest, "check sum"},
		"two answers":         {"A,P-1," + secret + ",6778171,2026-11-21 09:30," + rest, "another token than that issued"},
		"two numbers":         {"A,P-1," + secret + ",6778171,,7" + rest, "leave it empty"},
		"identifier 0":        {"A,P-1," + secret + ",0,," + rest, "tid: want"},
		"identifier too long": {"A,P-1," + secret + ",16777216,," + rest, "tid: want"},
		"before the base":     {"A,P-1," + secret + ",,2013-11-21 09:30," + rest, "outside base date 2014"},
		"no moment":           {"A,P-1," + secret + ",,yesterday," + rest, "issued: want a moment"},
		"a field too many":    {"A,P-1," + secret + ",5,,,," + rest, "fields"},
		"swapped":             {"A,P-1,,," + secret + "," + rest, "issued: want a moment"},
		"an open quote":       {"A,P-1,\"" + secret + ",5,," + rest, "quote"},
	} {
		_, err := read(tokenTitle+c.row, m, o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), secret[:14]) || strings.Contains(err.Error(), "5649 3153 7254") {
			t.Errorf("%s: the message shows the token: %v", name, err)
		}
	}
	for _, y := range []string{strings.Replace(tokenMapping, "2014", "2015", 1), strings.Replace(tokenMapping, "token_base: 2014\n", "", 1),
		strings.Replace(tokenMapping, "  issued: {from: made, format: \"2006-01-02 15:04\"}\n", "", 1)} {
		if _, err := Load([]byte(y)); err == nil || !strings.Contains(err.Error(), "token_base") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzTokenFile: whatever the file, what is kept of it is as long as it was and
// holds no token that was read from it.
func FuzzTokenFile(f *testing.F) {
	f.Add([]byte(tokenTitle + "A,P-1," + secret + ",5,,,50.00,2026-11-21T09:31:00+08:00\n"))
	m, err := Load([]byte(tokenMapping))
	if err != nil {
		f.Fatal(err)
	}
	day := must(ledger.ParseDay("2026-11-21"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := options()
		o.Day, o.Number = &day, 1
		file, err := read(string(data), m, o)
		if err != nil {
			return
		}
		p := newParser(data, m, o)
		if err := p.parse(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.tokens {
			if bytes.Contains(file.Raw[s.from:s.to], []byte(s.text)) || len(file.Raw) != len(data) {
				t.Errorf("kept %q", file.Raw)
			}
		}
	})
}
