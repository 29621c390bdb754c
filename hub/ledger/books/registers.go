package books

import (
	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// registers are what the meter's readings say beside a card entry, in litres or
// watt-hours: the main counter, then the counters of the rates from 1.
type registers [1 + maxRates]int64

// maxRates is how many rates a meter has a counter for [DL/T 645-2007, annex A;
// schemas knows no more].
const maxRates = 4

// unknown stands for a register that is not known; no register is negative.
const unknown = -1

// registerStream selects registers without a null, which costs a run less to read.
const registerStream = "COALESCE(reg_used, -1), COALESCE(reg_t1, -1), COALESCE(reg_t2, -1), COALESCE(reg_t3, -1), COALESCE(reg_t4, -1)"

// into gives e what it did not tell itself.
func (r *registers) into(e *ledger.Entry) {
	if r[0] != unknown && !e.Used.Known() {
		e.Used = schemas.Credit{Value: r[0], Unit: useUnit(e.Utility)}
	}
	for n := 1; n < len(r) && r[n] != unknown; n++ {
		e.UsedByRate = append(e.UsedByRate, r[n])
	}
}

// digest adds the registers; those of an entry without any take one byte.
func (r *registers) digest(d *digester) {
	known := len(r)
	for known > 0 && r[known-1] == unknown {
		known--
	}
	d.numbers(int64(known))
	d.numbers(r[:known]...)
}

// useUnit is the unit of use of a utility.
func useUnit(utility schemas.Medium) schemas.CreditUnit {
	if utility == schemas.Power {
		return schemas.CreditWh
	}
	return schemas.CreditLitre
}

// useQuantities are the readings that the use of a utility is taken from, the best
// first, as the meters' profiles give them. Water: what went forward, which is what
// a purse counts off. Power: imported energy, not the combined one, which some
// meters make of import and export. Gas: the standard volume of a meter that has
// it, else the one counter that the meter shows; never the working volume, which
// nobody pays for.
func useQuantities(utility schemas.Medium) []schemas.Quantity {
	switch utility {
	case schemas.Water:
		return []schemas.Quantity{"water.volume.forward"}
	case schemas.Power:
		return []schemas.Quantity{"power.energy.import"}
	}
	return []schemas.Quantity{"gas.volume.standard", "gas.volume.total"}
}

// rateQuantities are the counters of n rates; nil where meters have none. Only
// those of power meters have.
func rateQuantities(utility schemas.Medium, n int) []schemas.Quantity {
	all := []schemas.Quantity{"power.energy.import.t1", "power.energy.import.t2", "power.energy.import.t3", "power.energy.import.t4"}
	if utility != schemas.Power || n > maxRates {
		return nil
	}
	return all[:n]
}

// registerOf returns a register of m³ or kWh in whole litres or watt-hours, as a
// meter that shows just these would: what is finer is cut off. It is false for what
// no register shows: a negative value, or one that does not fit.
func registerOf(v schemas.Decimal) (int64, bool) {
	n, ok := v.Shift(3)
	if !ok || n.Mantissa < 0 {
		return 0, false
	}
	for ; n.Exponent > 0 && n.Mantissa != 0; n.Exponent-- {
		if n.Mantissa > maxRegister/10 {
			return 0, false
		}
		n.Mantissa *= 10
	}
	for ; n.Exponent < 0 && n.Mantissa != 0; n.Exponent++ {
		n.Mantissa /= 10
	}
	return n.Mantissa, n.Mantissa <= maxRegister
}

// maxRegister is a billion m³ or kWh, above which a reconciliation takes no use.
const maxRegister = 1_000_000_000_000
