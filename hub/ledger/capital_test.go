package ledger

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/schemas"
)

// TestCapital holds the amounts of testdata/capital.json, which the desk's pages are
// held to as well.
func TestCapital(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "capital.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table []struct{ Yuan, Capital string }
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	if len(table) < 40 {
		t.Fatalf("only %d amounts", len(table))
	}
	for _, c := range table {
		amount, err := schemas.ParseFen(c.Yuan)
		if err != nil {
			t.Fatal(err)
		}
		if got := Capital(amount); got != c.Capital {
			t.Errorf("%s: %s, want %s", c.Yuan, got, c.Capital)
		}
	}
}

// readCapital reads an amount in fen by another way than it is written: digits gather
// under their units from left to right.
func readCapital(s string) *big.Int {
	digits := map[rune]int64{'零': 0, '壹': 1, '贰': 2, '叁': 3, '肆': 4, '伍': 5, '陆': 6, '柒': 7, '捌': 8, '玖': 9}
	units := map[rune]int64{'拾': 10, '佰': 100, '仟': 1000}
	rest, negative := strings.CutPrefix(strings.TrimPrefix(s, "人民币"), "负")
	total, big4, small, digit := new(big.Int), int64(0), int64(0), int64(0) // 亿 and above, 万, below
	fen := new(big.Int)
	fold := func() { small, digit = small+digit, 0 }
	for _, r := range rest {
		d, isDigit := digits[r]
		switch {
		case isDigit:
			digit = d
		case units[r] != 0:
			small, digit = small+digit*units[r], 0
		case r == '万':
			fold()
			big4, small = big4+small*10_000, 0
		case r == '亿':
			fold()
			total.Add(total, big.NewInt(big4+small))
			total.Mul(total, big.NewInt(100_000_000))
			big4, small = 0, 0
		case r == '元':
			fold()
			total.Add(total, big.NewInt(big4+small))
			fen.Mul(total, big.NewInt(100))
		case r == '角':
			fen.Add(fen, big.NewInt(digit*10))
		case r == '分':
			fen.Add(fen, big.NewInt(digit))
		}
	}
	if negative {
		fen.Neg(fen)
	}
	return fen
}

// FuzzCapital reads back what was written, and holds the form to what never stands in
// one.
func FuzzCapital(f *testing.F) {
	for _, n := range []int64{0, 1, 10, 100, 1005, 10050, 100001, 1000000, 10001010, 10700053, 1640902, 32504, 600714, 1e10, 1e14, 1e18, math.MaxInt64, math.MinInt64, -1} {
		f.Add(n)
	}
	for power := int64(1); power < 1e18; power *= 10 {
		f.Add(power + 7)
		f.Add(power * 9)
		f.Add(power*9 + power/10)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		got := Capital(schemas.Fen(n))
		if back := readCapital(got); !back.IsInt64() || back.Int64() != n {
			t.Errorf("%d is written as %s, which is %s", n, got, back)
		}
		for _, never := range []string{"零零", "零万", "零亿", "零拾", "零佰", "零仟", "零角", "零分", "零整", "亿万"} {
			if strings.Contains(got, never) {
				t.Errorf("%d is written as %s", n, got)
			}
		}
		if strings.HasSuffix(got, "分") == strings.HasSuffix(got, "整") {
			t.Errorf("%d is written as %s", n, got)
		}
	})
}
