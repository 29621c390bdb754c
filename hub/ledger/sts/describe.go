package sts

import (
	"fmt"
	"strconv"
	"time"
)

// Description is what can be known of a token without the meter's key, or, with
// its opened block, all of it. It never holds the token itself.
type Description struct {
	Class Class
	// Lines say it in plain words.
	Lines []string
	// Opened is what the block says; nil where it was not opened.
	Opened *Plain
	// Issued is when an opened credit token was made.
	Issued time.Time
}

// Describe says what a token is. opened is its data block as a security module
// opened it, in 16 hexadecimal digits, or empty; an opened block that is not sound
// is an error. The base is that of the meter's key.
func Describe(t Token, base Base, opened string) (Description, error) {
	d := Description{Class: t.Class}
	if opened != "" {
		return d.open(base, opened)
	}
	switch t.Class {
	case Credit:
		d.say("a credit token: it adds credit to the one meter that it was made for")
		d.say("its content is encrypted with that meter's key, and its check sum with it: nothing but the meter or the vending system's security module can check it")
		d.say("its identifier counts minutes from %s to %s (base date %d); a meter takes each once, in any order", day(base.start()), day(base.End()), int(base))
	case Test:
		d.say("a test token, for any meter: it shows something or tests something and adds no credit")
		d.say("it is not encrypted; its check sum is right")
		d.say("subclass %d, control and manufacturer fields %011X", t.Block>>60, t.Block>>16&(1<<44-1))
	case Management:
		d.say("a management token: it changes a setting, clears the credit or brings a new key; it adds no credit")
		d.say("its content is encrypted with the meter's key, but for parts of key changes: nothing but the meter can check it")
	default:
		d.say("a token of the class that is reserved: no meter takes it")
	}
	return d, nil
}

func (d *Description) open(base Base, opened string) (Description, error) {
	block, err := strconv.ParseUint(opened, 16, 64)
	if err != nil || len(opened) != 16 {
		return *d, fmt.Errorf("opened block: want 16 hexadecimal digits")
	}
	if d.Class != Credit {
		return *d, fmt.Errorf("opened block: only those of credit tokens are read, this is a %s token", d.Class)
	}
	plain, err := OpenCredit(block)
	if err != nil {
		return *d, err
	}
	d.Opened, d.Issued = &plain, plain.TID.Time(base)
	d.say("a credit token of %s, opened; its check sum is right", plain.Utility())
	d.say("identifier %s: made on %s UTC (base date %d)", plain.TID, d.Issued.Format("2006-01-02 15:04"), int(base))
	if unit := plain.Unit(); unit != "" {
		d.say("%d.%d %s", plain.Units/10, plain.Units%10, unit)
	} else {
		d.say("an amount field that means %d steps of the subclass", plain.Units)
	}
	return *d, nil
}

func (d *Description) say(format string, args ...any) {
	d.Lines = append(d.Lines, fmt.Sprintf(format, args...))
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// Utility names what the token is credit for.
func (p Plain) Utility() string {
	switch p.Subclass {
	case 0:
		return "electricity"
	case 1:
		return "water"
	case 2:
		return "gas"
	}
	return fmt.Sprintf("subclass %d", p.Subclass)
}

// Unit is what Units count a tenth of; empty for a subclass that this package does
// not know.
func (p Plain) Unit() string {
	switch p.Subclass {
	case 0:
		return "kWh"
	case 1, 2:
		return "m3"
	}
	return ""
}
