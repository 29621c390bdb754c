package apdu

import (
	"errors"
	"fmt"
)

// What callers branch on, whatever status word a card says it with.
var (
	// ErrFileNotFound: the card has no such file or application.
	ErrFileNotFound = errors.New("file not found")
	// ErrSecurity: the terminal has not proved what the file asks for.
	ErrSecurity = errors.New("security status not satisfied")
	// ErrMAC: the card computed another MAC.
	ErrMAC = errors.New("MAC wrong")
	// ErrWrongSecret: the PIN or key was wrong; StatusError.Tries tells how many
	// tries are left.
	ErrWrongSecret = errors.New("wrong secret")
	// ErrShortFile: the file ends before what was to be read of it, so it is not
	// laid out as was thought.
	ErrShortFile = errors.New("file too short")
	// ErrBlocked: no tries are left.
	ErrBlocked = errors.New("no tries left")
)

const swOK = 0x9000

// StatusError is an answer other than 9000.
type StatusError struct {
	Command string // what was asked, without secret data
	SW      uint16
}

// Error says what was asked, what the card answered, what that means and what to
// do.
func (e *StatusError) Error() string {
	m := e.meaning()
	return fmt.Sprintf("%s: the card answers %04X, %s: %s", e.Command, e.SW, m.says, m.do)
}

// Is makes errors.Is find the sentinel errors of this package.
func (e *StatusError) Is(target error) bool {
	kind := e.meaning().kind
	return kind != nil && target == kind
}

// Tries returns how many tries the card says are left; ok is false where it says
// nothing about tries.
func (e *StatusError) Tries() (left int, ok bool) {
	switch {
	case e.SW&0xFFF0 == 0x63C0:
		return int(e.SW & 0xF), true
	case e.meaning().kind == ErrBlocked:
		return 0, true
	}
	return 0, false
}

// Refused reports whether the card says that it has changed nothing. It is false
// for warnings and for failures in the middle: after those nobody knows.
func (e *StatusError) Refused() bool {
	switch e.SW >> 8 {
	case 0x64, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x93, 0x94:
		return true
	}
	return false
}

// meaning is what a status word says, what to do, and its kind where callers
// branch on it.
type meaning struct {
	says, do string
	kind     error
}

// What to do, where several words ask for the same.
const (
	doKeys     = "check that the terminal's security module holds the keys of this card's issuer"
	doTryOther = "try another card; if that works, replace this one"
	doIssuer   = "look whether the card is of this city and was issued"
	doReport   = "the terminal asks for what this card does not know: report card and command"
)

// meaning looks the word up: whole words first, then those that carry a number.
func (e *StatusError) meaning() meaning {
	if m, ok := e.security(); ok {
		return m
	}
	switch e.SW {
	case 0x6700:
		return meaning{"wrong length", doReport, nil}
	case 0x6A80:
		return meaning{"wrong data", doReport, nil}
	case 0x6A81:
		return meaning{"function not supported, or application locked", doIssuer, nil}
	case 0x6A82:
		return meaning{"file not found", doIssuer, ErrFileNotFound}
	case 0x6A83:
		return meaning{"record not found", "there are fewer records; nothing needs to be done", ErrFileNotFound}
	case 0x6A86, 0x6B00:
		return meaning{"wrong parameters or offset, or a card that was never issued", doIssuer, nil}
	case 0x6581:
		return meaning{"memory failure", doTryOther, nil}
	case 0x6D00, 0x6E00:
		return meaning{"command not known", doIssuer, nil}
	case 0x9401:
		return meaning{"not enough credit", "nothing was taken off; load the card first", nil}
	}
	return e.numbered()
}

// security is meaning for the words about keys, secrets and MACs.
func (e *StatusError) security() (meaning, bool) {
	switch e.SW {
	case 0x6982:
		return meaning{"security status not satisfied", doKeys, ErrSecurity}, true
	case 0x6983, 0x63C0, 0x9303:
		return meaning{"blocked, no tries left", "do not try again; the issuer must unblock or replace the card", ErrBlocked}, true
	case 0x6300:
		return meaning{"the proof was wrong", "check secret or keys before trying again; after a few tries the card blocks for good", ErrWrongSecret}, true
	case 0x6984:
		return meaning{"no valid challenge", "take the card out, put it in again and repeat from the start", ErrSecurity}, true
	case 0x6985:
		return meaning{"conditions of use not satisfied", doKeys, ErrSecurity}, true
	case 0x6987, 0x9406:
		return meaning{"MAC missing", doKeys, ErrMAC}, true
	case 0x6988, 0x9302:
		return meaning{"MAC wrong", doKeys, ErrMAC}, true
	case 0x6A88, 0x9403:
		return meaning{"key not found", doKeys, ErrSecurity}, true
	}
	return meaning{}, false
}

// numbered is meaning for the words of which the second byte is a number.
func (e *StatusError) numbered() meaning {
	low := e.SW & 0xFF
	switch {
	case e.SW&0xFFF0 == 0x63C0:
		return meaning{
			fmt.Sprintf("wrong secret, %d tries left", low&0xF),
			"check the secret before trying again; after the last try the card is blocked", ErrWrongSecret,
		}
	case e.SW>>8 == 0x6C:
		return meaning{fmt.Sprintf("wrong Le, %d bytes are there", length(e.SW)), doReport, nil}
	case e.SW>>8 == 0x62 || e.SW>>8 == 0x63:
		return meaning{"a warning", doTryOther, nil}
	case e.SW>>8 == 0x64 || e.SW>>8 == 0x65:
		return meaning{"failure while carrying it out", doTryOther, nil}
	}
	return meaning{"a status word without known meaning", doTryOther, nil}
}
