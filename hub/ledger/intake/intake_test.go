package intake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"citygrid/hub/ledger"
	"citygrid/internal/gm"
	"citygrid/schemas"
)

var shanghai = time.FixedZone("CST", 8*3600)

func options() Options {
	return Options{Name: "f.csv", By: "zhang", Zone: shanghai, Now: func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }}
}

func mustNamed(tb testing.TB, name string) *Mapping {
	tb.Helper()
	m, err := Named(name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// sealed puts the digest of everything before the last line at its end.
func sealed(text string) string {
	head := text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1]
	h := gm.NewSM3()
	h.Write([]byte(head))
	return strings.TrimRight(text, "\r\n") + "," + hex.EncodeToString(h.Sum(nil)) + "\n"
}

const own = `#citygrid,1,sales,water,counter-1,2026-11-21,1
order,kind,meter,meter_number,customer,card,purchase,amount,volume,undoes,at,operator,terminal
S-1001,purchase,W-000042,000000000042,C-42,00112233445566AA,7,50.00,,,2026-11-21T09:30:00+08:00,op1,t1
S-1002,refund,W-000042,000000000042,C-42,00112233445566AA,7,50.00,,S-1001,2026-11-21T10:00:00+08:00,op1,t1
#total,2,50.00,50.00
`

const ownPayments = "#citygrid,1,payments,gas,wechat,2026-11-21,3\norder,kind,reference,amount,day,at\n" +
	"\"S,1\",payment,\"a\"\"b\",0.05,2026-11-20,2026-11-20T23:59:59+08:00\nS2,refund,,7,,2026-11-21T00:00:00Z\n#total,2,0.05,7.00\n"

func read(text string, m *Mapping, o Options) (*ledger.File, error) {
	return Read(context.Background(), strings.NewReader(text), m, o)
}

func TestOwnFormat(t *testing.T) {
	day := must(ledger.ParseDay("2026-11-21"))
	for name, text := range map[string]string{"plain": own, "sealed": sealed(own), "mark": sealed("\xef\xbb\xbf" + own), "crlf": sealed(strings.ReplaceAll(own, "\n", "\r\n"))} {
		f, err := read(text, mustNamed(t, "citygrid"), options())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := (ledger.FileID{Content: "sales", Utility: "water", Channel: "counter-1", Day: day, Number: 1}); f.FileID != want {
			t.Errorf("%s: file %v, want %v", name, f.FileID, want)
		}
		want := ledger.Sale{Channel: "counter-1", Order: "S-1002", Kind: ledger.Refund, Utility: "water", Meter: "W-000042", MeterNumber: "000000000042",
			Customer: "C-42", Card: "00112233445566AA", Purchase: schemas.PurchaseRef{Scheme: "seq", Number: 7}, Amount: 5000, Undoes: "S-1001",
			Day: day, At: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC), Operator: "op1", Terminal: "t1"}
		if len(f.Sales) != 2 || f.Sales[1] != want {
			t.Errorf("%s: sales %+v, want %+v", name, f.Sales, want)
		}
		if string(f.Raw) != text {
			t.Errorf("%s: the bytes are not as they came", name)
		}
	}
	f, err := read(ownPayments, mustNamed(t, "citygrid"), options())
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.Payment{
		{Channel: "wechat", Order: "S,1", Reference: `a"b`, Amount: 5, Day: day - 1, At: time.Date(2026, 11, 20, 15, 59, 59, 0, time.UTC)},
		{Channel: "wechat", Order: "S2", Refund: true, Amount: 700, Day: day, At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}}
	if !slices.Equal(f.Payments, want) {
		t.Errorf("payments %+v, want %+v", f.Payments, want)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const (
	bank   = "H|icbc|20261121|2|gas|\nB|77001|S-1|00|C|5000|20261121093000|\nB|77002|S-2|00|D|120|20261121100000|\nT|2|5000|120|\n"
	wechat = "交易时间,公众账号ID,微信订单号,商户订单号,交易状态,应结订单金额,微信退款单号,商户退款单号,退款金额,商品名称\n" +
		"`2026-11-21 09:30:00,`wx1,`4200,`S-1,`SUCCESS,`50.00,`0,`0,`0.00,`电费 \"A\"\n" +
		"`2026-11-21 10:00:00,`wx1,`4201,`S-1,`REFUND,`0.00,`5000,`R-1,`20.00,`电费\n" +
		"总交易单数,应结订单总金额,退款总金额,充值券退款总金额\n`2,`50.00,`20.00,`0.00\n"
	alipay = "#支付宝业务明细查询\n#账号：[20880000]\n#起始日期：[2026年11月21日 00:00:00]   终止日期：[2026年11月22日 00:00:00]\n" +
		"#-----------------------------------------业务明细列表----------------------------------------\n" +
		"支付宝交易号,商户订单号,业务类型,商品名称,完成时间,订单金额（元）,退款批次号/请求号\n" +
		"2026112122001\t,S-1\t,交易,水费,2026-11-21 09:30:00,50.00,\t\n" +
		"2026112122001\t,S-1\t,退款,水费,2026-11-21 10:00:00,50.00,R-1\t\n" +
		"#-----------------------------------------业务明细列表结束------------------------------------\n" +
		"#合计：共2笔，收款50.00元，退款50.00元\n#导出时间：[2026年11月22日 08:00:00]\n"
)

func TestChannelLayouts(t *testing.T) {
	gb := must(simplifiedchinese.GB18030.NewEncoder().String(alipay))
	gbWechat := must(simplifiedchinese.GB18030.NewEncoder().String(wechat))
	day := must(ledger.ParseDay("2026-11-21"))
	for _, c := range []struct {
		name, mapping, text, channel string
		number                       int
		want                         string
	}{
		{"bank", "bank", bank, "icbc", 0, "S-1 77001 false 50.00|S-2 77002 true 1.20|"},
		{"wechat", "wechat", wechat, "wechat", 1, "S-1 4200 false 50.00|R-1 5000 true 20.00|"},
		{"wechat gb18030", "wechat", gbWechat, "wechat", 1, "S-1 4200 false 50.00|R-1 5000 true 20.00|"},
		{"alipay", "alipay", gb, "alipay", 1, "S-1 2026112122001 false 50.00|R-1 2026112122001 true 50.00|"},
	} {
		o := options()
		o.Utility, o.Number, o.Day = schemas.Gas, c.number, &day
		f, err := read(c.text, mustNamed(t, c.mapping), o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got strings.Builder
		for _, p := range f.Payments {
			fmt.Fprintf(&got, "%s %s %t %s|", p.Order, p.Reference, p.Refund, p.Amount)
			if p.At.Before(time.Date(2026, 11, 21, 1, 30, 0, 0, time.UTC)) || p.Day != day {
				t.Errorf("%s: at %s on %s", c.name, p.At, p.Day)
			}
		}
		if got.String() != c.want || f.Channel != c.channel || f.Day != day || f.Utility != schemas.Gas {
			t.Errorf("%s: %s of %v, want %s", c.name, got.String(), f.FileID, c.want)
		}
	}
}

// TestMistakesAreNamed breaks a good file in one place each and wants the line, the
// column and a word of what to do.
func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		line, column   int
		says           string
	}{
		{"amount with three decimals", "7,50.00,,,", "7,50.001,,,", 3, 8, "two decimals"},
		{"negative amount", "7,50.00,,,", "7,-50.00,,,", 3, 8, "nothing negative"},
		{"grouped amount", "7,50.00,,,", "7,\"1,050.00\",,,", 3, 8, "two decimals"},
		{"card too short", "C-42,00112233445566AA,7,50.00,,,", "C-42,0011,7,50.00,,,", 3, 6, "16 digits"},
		{"zeros cut", "W-000042,000000000042,C-42,00112233445566AA,7,50.00,,,", ",42,C-42,00112233445566AA,7,50.00,,,", 3, 4, "leading zeros"},
		{"no meter", "W-000042,000000000042,C-42,00112233445566AA,7,50.00,,,", ",,C-42,00112233445566AA,7,50.00,,,", 3, 3, "neither meter"},
		{"purchase 0", "AA,7,50.00,,,", "AA,0,50.00,,,", 3, 7, "from 1 on"},
		{"kind", "S-1001,purchase", "S-1001,sold", 3, 2, "want one of"},
		{"order missing", "S-1001,purchase", ",purchase", 3, 1, "order is missing"},
		{"order with control", "S-1001,purchase", "S\a1,purchase", 3, 1, "printable"},
		{"refund of nothing", "S-1001,2026-11-21T10", ",2026-11-21T10", 4, 10, "names the order"},
		{"purchase undoes", "50.00,,,2026-11-21T09", "50.00,,X,2026-11-21T09", 3, 10, "undoes nothing"},
		{"moment without offset", "T09:30:00+08:00", "T09:30:00", 3, 11, "form 2006"},
		{"field lost", "op1,t1\nS-1002", "op1\nS-1002", 3, 0, "12 fields, but 13"},
		{"quote open", "S-1001,purchase", "\"S-1001,purchase", 3, 1, "does not close"},
		{"volume", "7,50.00,,,", "7,50.00,1.5,,", 3, 9, "volume"},
		{"count", "#total,2", "#total,3", 5, 0, "counts so many"},
		{"sum", "#total,2,50.00", "#total,2,50.01", 5, 0, "rows come to 50.00"},
		{"given back", "50.00,50.00\n", "50.00,0.00\n", 5, 0, "given back"},
		{"cut off", "#total,2,50.00,50.00\n", "", 4, 0, "without its trailer"},
		{"column unknown", "order,kind", "order,Kind", 2, 2, "no column of this format"},
		{"column missing", "amount,volume", "volume", 2, 0, "check the mapping"},
		{"column twice", "order,kind,meter,", "order,kind,kind,", 2, 3, "stands twice"},
		{"more behind", "#total,2,50.00,50.00\n", "#total,2,50.00,50.00\nS,1\n", 6, 0, "after the trailer"},
		{"not UTF-8", "C-42,00112233445566AA,7,50.00,,,", "\xff,00112233445566AA,7,50.00,,,", 3, 0, "encoding"},
		{"utility", "sales,water", "sales,steam", 2, 0, "no utility"},
		{"header missing", "#citygrid,1,sales,water,counter-1,2026-11-21,1\n", "", 1, 0, "accounting day"},
		{"day", "2026-11-21,1\n", "2026-13-21,1\n", 2, 0, "no accounting day"},
	} {
		text := strings.Replace(own, c.old, c.new, 1)
		if text == own {
			t.Fatalf("%s: nothing was broken", c.name)
		}
		_, err := read(text, mustNamed(t, "citygrid"), options())
		var fe *FileError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		p := fe.Problems[0]
		if p.Line != c.line || p.Column != c.column || !strings.Contains(p.What, c.says) {
			t.Errorf("%s: %s; want line %d, column %d, %q", c.name, p, c.line, c.column, c.says)
		}
	}
	changed := strings.Replace(sealed(own), "op1", "op2", 1)
	if _, err := read(changed, mustNamed(t, "citygrid"), options()); err == nil || !strings.Contains(err.Error(), "fetch it again") {
		t.Errorf("a changed byte: %v", err)
	}
	if _, err := read("", mustNamed(t, "citygrid"), options()); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
	o := options()
	o.Channel = "wechat"
	if _, err := read(own, mustNamed(t, "citygrid"), o); err == nil || !strings.Contains(err.Error(), "right file") {
		t.Errorf("a file of another channel: %v", err)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var s strings.Builder
	s.WriteString(strings.Join(strings.SplitAfter(own, "\n")[:2], ""))
	for range 100 {
		s.WriteString("x\n")
	}
	_, err := read(s.String(), mustNamed(t, "citygrid"), options())
	var fe *FileError
	if !errors.As(err, &fe) || len(fe.Problems) != MaxProblems || !fe.More {
		t.Errorf("%v", err)
	}
}

type refuses struct{ t *testing.T }

func (r refuses) StoreFile(context.Context, *ledger.File) (ledger.Import, error) {
	r.t.Error("a bad file reached the store")
	return ledger.Import{}, nil
}

func TestABadFileNeverReachesTheStore(t *testing.T) {
	bad := strings.Replace(own, "#total,2", "#total,3", 1)
	if _, err := Import(context.Background(), refuses{t}, strings.NewReader(bad), mustNamed(t, "citygrid"), options()); err == nil {
		t.Error("no error")
	}
}

func TestProgressEndsWithTheFile(t *testing.T) {
	o, last := options(), int64(0)
	o.Progress = func(n int64) {
		if n < last {
			t.Errorf("%d after %d", n, last)
		}
		last = n
	}
	if _, err := read(own, mustNamed(t, "citygrid"), o); err != nil || last != int64(len(own)) {
		t.Errorf("told %d of %d bytes (%v)", last, len(own), err)
	}
}

func TestMappingsAreChecked(t *testing.T) {
	good := "name: x\nversion: \"1\"\nencoding: utf-8\ndelimiter: \",\"\nnames: true\ncolumns:\n  order: {from: a}\n"
	if _, err := Load([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"utf-8", "latin-1", "encoding"}, {"\",\"", "\"||\"", "delimiter"}, {"order:", "ordr:", "not one of ours"}, {"{from: a}", "{}", "either from or value"},
		{"names: true", "names: false", "position"}, {"{from: a}", "{from: a, unit: m3}", "unit"}, {"name: x\n", "", "missing"},
		{"names: true", "names: true\nlines: {skip: ['(']}", "skip"}, {"names: true", "names: true\nlines: {tail: ['a']}", "unknown class"},
		{"names: true", "names: true\nsums: cents", "sums"}, {"names: true", "names: true\ncontent: loads", "content"},
	} {
		if _, err := Load([]byte(strings.Replace(good, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
	if _, err := Named("paypal"); err == nil || !strings.Contains(err.Error(), "alipay, bank, citygrid, wechat") {
		t.Errorf("%v", err)
	}
}

// FuzzRead reads any bytes with every mapping: no panic, and what is accepted holds
// to the rules of the books.
func FuzzRead(f *testing.F) {
	for _, s := range []string{own, sealed(own), ownPayments, bank, wechat, alipay, must(simplifiedchinese.GB18030.NewEncoder().String(alipay))} {
		f.Add([]byte(s))
	}
	var mappings []*Mapping
	for _, name := range Names() {
		mappings = append(mappings, mustNamed(f, name))
	}
	day := must(ledger.ParseDay("2026-11-21"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range mappings {
			for _, given := range []bool{false, true} {
				o := options()
				if given {
					o.Day, o.Number, o.Utility = &day, 1, schemas.Water
				}
				file, err := Read(context.Background(), strings.NewReader(string(data)), m, o)
				if err != nil {
					var fe *FileError
					if !errors.As(err, &fe) || len(fe.Problems) == 0 || len(fe.Problems) > MaxProblems {
						t.Fatalf("%s: %v", m.Name, err)
					}
					continue
				}
				check(t, file)
			}
		}
	})
}

func check(t *testing.T, f *ledger.File) {
	if f.Number < 1 || f.Channel == "" || f.Utility == "" || len(f.Sales) > 0 && len(f.Payments) > 0 {
		t.Fatalf("file %+v", f.FileID)
	}
	for _, s := range f.Sales {
		if s.Order == "" || s.Amount < 0 || s.Volume < 0 || s.At.IsZero() || s.Purchase.Number == 0 || s.Meter == "" && s.MeterNumber == "" ||
			s.Meter != "" && s.Meter.Validate() != nil || s.Card != "" && s.Card.Validate() != nil {
			t.Fatalf("sale %+v", s)
		}
	}
	for _, p := range f.Payments {
		if p.Order == "" || p.Amount < 0 || p.At.IsZero() {
			t.Fatalf("payment %+v", p)
		}
	}
}
