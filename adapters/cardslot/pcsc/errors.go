package pcsc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"citygrid/adapters/cardslot"
)

// The errors that an operator can do something about.
var (
	ErrNotRunning = errors.New("pcscd does not run: start it (systemctl start pcscd.socket), or install the Debian package pcscd")
	ErrSilent     = errors.New("pcscd takes connections and does not answer: start it again (systemctl restart pcscd)")
	ErrDenied     = errors.New("pcscd refuses this user: allow org.debian.pcsc-lite.access_pcsc and access_card in polkit (a file in /etc/polkit-1/rules.d), or run as a user who is logged in at the machine")
	ErrVersion    = errors.New("pcscd speaks another protocol than 4.3 to 4.5: install pcsc-lite 1.8.9 or newer")
	ErrNoReader   = errors.New("the card reader is not there: plug it in; a USB reader needs the Debian package libccid (or its maker's driver)")
	ErrMute       = errors.New("the card does not answer to reset: put it in the other way round; if that does not help it is broken, or no chip card")
	ErrBusy       = errors.New("another program holds the card: end it (gpg-agent, a browser and opensc are the usual ones)")
)

// Status is an answer of pcscd other than success [pcsclite.h].
type Status uint32

// The answers that mean something to us.
const (
	statusInvalidHandle     Status = 0x80100003
	statusNoMemory          Status = 0x80100006
	statusInsufficient      Status = 0x80100008
	statusUnknownReader     Status = 0x80100009
	statusSharing           Status = 0x8010000B
	statusNoCard            Status = 0x8010000C
	statusProtocol          Status = 0x8010000F
	statusComm              Status = 0x80100013
	statusNotTransacted     Status = 0x80100016
	statusReaderUnavailable Status = 0x80100017
	statusNoService         Status = 0x8010001D
	statusServiceStopped    Status = 0x8010001E
	statusUnresponsive      Status = 0x80100066
	statusUnpowered         Status = 0x80100067
	statusReset             Status = 0x80100068
	statusRemoved           Status = 0x80100069
	statusSecurity          Status = 0x8010006A
)

// text says what a status means; empty for those that name only the code.
func (s Status) text() string {
	switch s {
	case statusInvalidHandle:
		return "the daemon has forgotten this connection: it was started again"
	case statusNoMemory:
		return "the daemon has too many connections: end other programs that use cards"
	case statusInsufficient:
		return "the answer is longer than any card may give"
	case statusUnknownReader, statusReaderUnavailable:
		return ErrNoReader.Error()
	case statusSharing:
		return ErrBusy.Error()
	case statusNoCard, statusRemoved:
		return cardslot.ErrRemoved.Error()
	case statusProtocol:
		return "the card speaks neither T=0 nor T=1, or another program has chosen otherwise"
	case statusComm, statusNotTransacted:
		return "no answer from the card or the reader"
	case statusNoService, statusServiceStopped:
		return ErrNotRunning.Error()
	case statusUnresponsive, statusUnpowered:
		return ErrMute.Error()
	case statusReset:
		return "another program has reset the card: start over"
	case statusSecurity:
		return ErrDenied.Error()
	}
	return ""
}

// Error says what it means, with the code for those who look it up.
func (s Status) Error() string {
	if text := s.text(); text != "" {
		return fmt.Sprintf("%s (pcscd %08X)", text, uint32(s))
	}
	return fmt.Sprintf("pcscd answers %08X", uint32(s))
}

// Is makes a status one of the errors above.
func (s Status) Is(target error) bool {
	switch s {
	case statusUnknownReader, statusReaderUnavailable:
		// A card goes with its reader.
		return target == ErrNoReader || target == cardslot.ErrRemoved
	case statusNoCard, statusRemoved:
		return target == cardslot.ErrRemoved
	case statusSharing:
		return target == ErrBusy
	case statusUnresponsive, statusUnpowered:
		return target == ErrMute
	case statusSecurity:
		return target == ErrDenied
	case statusNoService, statusServiceStopped:
		return target == ErrNotRunning
	}
	return false
}

// check returns a status as an error; 0 is none.
func check(s uint32) error {
	if s == 0 {
		return nil
	}
	return Status(s)
}

// gone reports whether the card went away, alone or with its reader.
func gone(err error) bool { return errors.Is(err, cardslot.ErrRemoved) }

// dialError says why the daemon cannot be reached.
func dialError(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open %s: %w: %w", socket, ErrDenied, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("open %s: %w", socket, ErrNotRunning)
	}
	return fmt.Errorf("open %s: %w", socket, err)
}

// hungUp reports whether the daemon closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// ioError says what an error of the connection means. ctx is whose end may have
// caused it.
func ioError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return context.Cause(ctx)
	case hungUp(err):
		return fmt.Errorf("%w (it closed the connection)", ErrNotRunning)
	}
	return err
}
