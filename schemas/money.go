package schemas

import (
	"fmt"
	"strconv"
	"strings"
)

// Fen is an amount of money in hundredths of a yuan. Sums of money are Fen,
// never floats; the sign says for whom, where a column allows both.
type Fen int64

// String writes yuan with two decimals: 5000 is "50.00", -7 is "-0.07".
func (f Fen) String() string { return Decimal{Mantissa: int64(f), Exponent: -2}.String() }

// ParseFen reads an amount in yuan: an optional sign, digits, and at most two
// decimals ("50", "50.5", "-0.07"). It accepts no grouping, currency sign,
// exponent or blank, and never rounds.
func ParseFen(s string) (Fen, error) {
	whole, frac, dotted := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole, "+-")
	if len(whole)-len(digits) > 1 || digits == "" || !onlyIn(digits, isDigit) || !onlyIn(frac, isDigit) || dotted && frac == "" {
		return 0, fmt.Errorf("amount %q: want yuan as digits with at most two decimals, such as 50.00", s)
	}
	if len(frac) > 2 {
		return 0, fmt.Errorf("amount %q: more than two decimals; the smallest amount is 0.01 yuan", s)
	}
	n, err := strconv.ParseInt(whole+(frac + "00")[:2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %q: too large", s)
	}
	return Fen(n), nil
}
