package dlt645

import (
	"errors"
	"fmt"
	"strings"

	"citygrid/adapters"
)

// Refusal is an exception answer: the meter understood the request and will not
// answer it.
type Refusal struct {
	// Function is the one that is refused.
	Function byte
	// Bits are the error bits: ERR of one byte, or SERR of two for the function
	// of the security module.
	Bits uint16
}

// errWords name the bits of ERR, bit 0 first [2007 7.1]. In 1997, bit 0 says that
// the data are illegal and bit 1 that the identifier is: for a read the same.
func errWords() []string {
	return []string{
		"other error", "no such data", "wrong password or not authorised", "baud rate cannot be changed",
		"too many seasons", "too many daily tables", "too many tariffs", "reserved bit 7",
	}
}

// serrWords name the bits of SERR, bit 0 first: the grid companies' extension.
func serrWords() []string {
	return []string{
		"other error", "recharged twice", "security module failed", "identity not proved",
		"customer number differs", "purchase count wrong", "credit above the limit",
	}
}

// noSuchData is the bit of ERR for an item that the meter does not have.
const noSuchData = 1 << 1

// otherError is the bit of ERR for anything that has no bit of its own.
const otherError = 1

// parseRefusal reads the data of an exception answer.
func parseRefusal(f Frame) (*Refusal, error) {
	want := 1
	if f.Function() == securityAuth {
		want = 2
	}
	if len(f.Data) != want {
		return nil, fmt.Errorf("exception answer with %d bytes of data, want %d", len(f.Data), want)
	}
	r := &Refusal{Function: f.Function()}
	for i, c := range f.Data {
		r.Bits |= uint16(c) << (8 * i)
	}
	return r, nil
}

// Words names every bit that is set; for none, it says that the meter gave no
// reason.
func (r *Refusal) Words() []string {
	words := errWords()
	if r.Function == securityAuth {
		words = serrWords()
	}
	var set []string
	for bit := range 16 {
		switch {
		case r.Bits>>bit&1 == 0:
		case bit < len(words):
			set = append(set, words[bit])
		default:
			set = append(set, fmt.Sprintf("reserved bit %d", bit))
		}
	}
	if set == nil {
		return []string{"no reason given"}
	}
	return set
}

// Error names the bits, and what the operator can do.
func (r *Refusal) Error() string {
	hint := ""
	if r.NoSuchData() {
		hint = ": the meter does not have this item; compare the profile with its manual"
	}
	return "the meter refuses: " + strings.Join(r.Words(), ", ") + hint
}

// NoSuchData reports whether the meter says that it does not have the item.
func (r *Refusal) NoSuchData() bool { return r.Function != securityAuth && r.Bits&noSuchData != 0 }

// Class is Config for what stays as it is until somebody changes the profile or
// the meter, and Slow for an error that the meter does not name.
func (r *Refusal) Class() adapters.Class {
	if r.Bits&^otherError == 0 {
		return adapters.Slow
	}
	return adapters.Config
}

// misfit is an answer that can never be what the profile or the line's
// description says.
type misfit struct{ problem string }

func misfitf(format string, args ...any) *misfit { return &misfit{fmt.Sprintf(format, args...)} }

// Error says what does not fit.
func (e *misfit) Error() string { return e.problem }

// Class is Config.
func (e *misfit) Class() adapters.Class { return adapters.Config }

// deranged is something that the meter itself has wrong, such as its clock.
type deranged struct{ problem string }

func derangedf(format string, args ...any) *deranged {
	return &deranged{fmt.Sprintf(format, args...)}
}

// Error says what is wrong with the meter.
func (e *deranged) Error() string { return e.problem }

// Class is Slow.
func (e *deranged) Class() adapters.Class { return adapters.Slow }

// lacks reports whether err is the meter's word that it does not have the item.
func lacks(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.NoSuchData()
}
