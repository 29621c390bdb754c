package main

import (
	"fmt"
	"strings"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// field is one field of a file, as people read it.
type field struct {
	Name  string `json:"field"`
	Value string `json:"value"`
}

// fields collects the fields of a file.
type fields []field

func (f *fields) add(name, format string, args ...any) {
	*f = append(*f, field{name, fmt.Sprintf(format, args...)})
}

// orderFields returns what the parameter or purchase file says beside meter,
// customer and card type.
func orderFields(p *cardslot.Purse) []field {
	var f fields
	if x := p.Power; x != nil {
		f.add("update", "%02X", byte(x.Update))
		f.add("price switch", "%s", minute(x.SwitchAt))
		f.add("alarm limits", "%s and %s yuan", x.Alarm1, x.Alarm2)
		f.add("transformers", "CT %d, PT %d", x.CT, x.PT)
	}
	if x := p.Purchase; x != nil {
		f.add("purchase", "number %d of %s", x.Count, credit(x.Amount))
		f.head(x.Head)
		f.limits(x.Limits)
		f.add("pulse constant", "%d", x.PulseConstant)
	}
	return f
}

// returnFields returns what the meter wrote back.
func returnFields(p *cardslot.Purse) []field {
	var f fields
	if x := p.PowerReturn; x != nil {
		f.add("written", "%s", minute(x.WrittenAt))
		f.add("meter", "%s", x.Meter)
		f.add("customer", "%s", x.Customer)
		f.add("last purchase", "number %d", x.Count)
		f.add("remaining", "%s yuan", x.Remaining)
		f.add("overdraft", "%s yuan", x.Overdraft)
		f.add("transformers", "CT %d, PT %d", x.CT, x.PT)
		f.add("key state", "%08X", x.KeyState)
		f.add("illegal cards", "%d", x.Illegal)
	}
	if x := p.Return; x != nil {
		f.add("written", "%s", minute(x.WrittenAt))
		f.add("meter", "%s", x.Meter)
		f.add("customer", "%s", x.Customer)
		f.add("last purchase", "number %d of %s", x.Count, credit(x.LastAmount))
		f.add("remaining", "%s", credit(x.Remaining))
		f.add("bought, whole life", "%s", credit(x.Bought))
		f.add("used, whole life", "%s", credit(x.Used))
		f.add("state", "%04X", x.State)
		f.add("pulses", "%d", x.Pulses)
		f.add("this month", "%d", x.ThisMonth)
		f.add("months before", "%s", months(x.Months))
		f.head(x.Head)
		f.limits(x.Limits)
		f.add("pulse constant", "%d", x.PulseConstant)
	}
	return f
}

func (f *fields) head(h cardfile.Head) {
	f.add("sub-meter, tariff, meter type", "%d, %d, %02X", h.SubMeter, h.Tariff, h.MeterType)
	f.add("update", "%02X", h.Update)
}

func (f *fields) limits(l cardfile.Limits) {
	f.add("alarm limits", "%s and %s", credit(l.Alarm1), credit(l.Alarm2))
	hoard := "not set"
	if l.Hoard.Value != 0 {
		hoard = credit(l.Hoard)
	}
	f.add("hoard limit", "%s", hoard)
	f.add("overdraft limit", "%s", credit(l.Overdraft))
}

// priceFields returns the price files, which only the meter interprets.
func priceFields(p *cardslot.Purse) []field {
	var f fields
	if x := p.Current; x != nil {
		f.add("current", "%d bytes, which only the meter reads", len(x.Data))
	}
	if x := p.Spare; x != nil {
		f.add("spare", "%d bytes, which only the meter reads", len(x.Data))
	}
	return f
}

// months writes the consumption of past months up to the last one that is not 0.
func months(all [24]uint16) string {
	var text []string
	last := 0
	for i, m := range all {
		if text = append(text, fmt.Sprint(m)); m != 0 {
			last = i + 1
		}
	}
	if last == 0 {
		return "none"
	}
	return strings.Join(text[:last], " ")
}

// credit writes an amount in the unit that people use.
func credit(c schemas.Credit) string {
	switch c.Unit {
	case schemas.CreditFen:
		return schemas.Fen(c.Value).String() + " yuan"
	case "":
		return "unknown"
	}
	return fmt.Sprintf("%d %s", c.Value, c.Unit)
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(cardfile.Zone()).Format("2006-01-02 15:04")
}

func day(t time.Time) string { return t.In(cardfile.Zone()).Format(time.DateOnly) }
