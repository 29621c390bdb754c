package modbus

import (
	"math"
	"math/big"
	"strconv"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// rounded returns f × Times × 10^Shift to p.Places decimals, half to even. The
// number rounded is the shortest decimal of f, so that nothing of the binary
// form shows; numbers of any size are used on the way, so that noise too fine
// for a Decimal is rounded like any other. What has no more decimals than
// p.Places stays as it is.
func rounded(p *profiles.Part, f float64, bits int) (schemas.Decimal, schemas.Reason) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return schemas.Decimal{}, schemas.ReasonNaN
	}
	shortest := strconv.FormatFloat(f, 'e', -1, bits)
	if d, err := schemas.ParseDecimal(shortest); err == nil {
		if d, reason := scale(d, p); reason == "" && int(d.Exponent) >= -p.Places {
			return d, ""
		}
	}
	v, _ := new(big.Rat).SetString(shortest)
	v.Mul(v, new(big.Rat).SetInt64(p.Times))
	n := halfEven(v.Mul(v, power(p.Shift+p.Places)))
	if !n.IsInt64() {
		return schemas.Decimal{}, schemas.ReasonOverflow
	}
	return schemas.Decimal{Mantissa: n.Int64(), Exponent: int8(-p.Places)}, ""
}

// power returns 10^n.
func power(n int) *big.Rat {
	v := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		v.Inv(v)
	}
	return v
}

// halfEven returns the whole number nearest to v, the even one of two.
func halfEven(v *big.Rat) *big.Int {
	below, rest := new(big.Int).DivMod(v.Num(), v.Denom(), new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(v.Denom()) {
	case 1:
		return below.Add(below, big.NewInt(1))
	case 0:
		return below.Add(below, big.NewInt(int64(below.Bit(0))))
	}
	return below
}
