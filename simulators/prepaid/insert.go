package prepaid

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"citygrid/schemas"
)

// CardPort is the meter's slot with a card in it.
type CardPort interface {
	// Reset powers the card up and returns its answer to reset; nothing for what
	// is no card.
	Reset() (atr []byte)
	// Transmit sends a command [ISO/IEC 7816-4] and returns data and status word;
	// nothing when the card is gone.
	Transmit(command []byte) (answer []byte)
}

// SAM is the meter's security module (ESAM).
type SAM interface {
	// MAC proves a command to the card, or checks what the card proves.
	MAC(ctx context.Context, card schemas.CardID, application uint16, challenge, message []byte) ([4]byte, error)
	// Cryptogram answers a challenge of 8 bytes.
	Cryptogram(ctx context.Context, card schemas.CardID, application uint16, challenge []byte) ([]byte, error)
}

// ErrNoSAM is what a SAM says that does not answer; any other error of a SAM
// means that it refuses.
var ErrNoSAM = errors.New("the security module does not answer")

// meterKey is the number of the key of meters in a card's application.
const meterKey = 0x02

// Insert is what happens from a card's insertion to the moment when it can be
// pulled: authentication, the rules of acceptance in their order, the load, the
// record, and the return file. A card that is pulled at any command leaves the
// meter whole: before the load nothing has changed, after it the purchase is
// there for good, and the return file is written when the same card comes again.
func (m *Meter) Insert(ctx context.Context, card CardPort, sam SAM, now time.Time) Outcome {
	m.advance(now)
	out := m.insert(ctx, card, sam, now)
	switch out.Fault {
	case schemas.FaultAuth, schemas.FaultExternalAuth, schemas.FaultMAC, schemas.FaultNotIssued:
		m.s.Illegal++
	case schemas.FaultEarlyRemoval:
		m.s.Pulled++
	}
	return out
}

func (m *Meter) insert(ctx context.Context, card CardPort, sam SAM, now time.Time) Outcome {
	s := &session{ctx: ctx, card: card, sam: sam, kind: kindOf(m.config.Utility)}
	if err := s.open(m.challenge()); err != nil {
		return refused(Outcome{}, err)
	}
	presented, err := m.readCard(s)
	if err != nil {
		return refused(Outcome{}, err)
	}
	out := m.Accept(presented, now)
	if out.Fault != schemas.FaultNone {
		return refused(out, &fault{out.Fault, "judge the card", nil})
	}
	m.s.ReturnOwed = true
	if err := s.write(s.kind.returnFile, m.returnFile(s.kind)); err != nil {
		return refused(out, err)
	}
	m.s.ReturnOwed, out.Returned = false, true
	if presented.Role == CloseCard || presented.Amount == 0 {
		return out
	}
	// The purchase is in the meter, so the card does not show it any more.
	if err := s.write(s.kind.wallet, binary.BigEndian.AppendUint32(make([]byte, 4), presented.Count)); err != nil {
		return refused(out, err)
	}
	return out
}

// refused fills in why.
func refused(out Outcome, err error) Outcome {
	var f *fault
	if errors.As(err, &f) {
		out.Fault = f.code
	}
	out.Err = err
	return out
}

// challenge returns eight bytes that differ each time, for the card to encrypt.
// A real meter takes them from its security module by chance; here they must
// repeat with the simulation.
func (m *Meter) challenge() []byte {
	b := binary.BigEndian.AppendUint32(nil, m.s.Count)
	return binary.BigEndian.AppendUint32(b, uint32(m.now.Unix()))
}

// fault is what went wrong with a card.
type fault struct {
	code schemas.CardFault
	act  string
	err  error
}

// Error says what was being done, and what a display shows.
func (f *fault) Error() string {
	if f.err == nil {
		return fmt.Sprintf("%s: fault %02d", f.act, f.code)
	}
	return fmt.Sprintf("%s: fault %02d: %v", f.act, f.code, f.err)
}

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

// session is one card in the slot.
type session struct {
	ctx    context.Context
	card   CardPort
	sam    SAM
	kind   kind
	serial schemas.CardID
}

// open finds out which card it is, has it prove itself, and proves the meter.
func (s *session) open(random []byte) error {
	if atr := s.card.Reset(); len(atr) < 2 || atr[0] != 0x3B && atr[0] != 0x3F {
		return &fault{schemas.FaultReset, "reset the card", fmt.Errorf("it answers %X", atr)}
	}
	if s.sam == nil {
		return &fault{schemas.FaultESAM, "wake the security module", ErrNoSAM}
	}
	if _, err := s.ask("select the card", 0x00, 0xA4, 0, 0, []byte{0x3F, 0x00}, 0); err != nil {
		return err
	}
	serial, err := s.ask("read the serial", 0x00, 0xB0, 0x99, 1, nil, 8)
	if err != nil {
		return err
	}
	s.serial = schemas.CardID(strings.ToUpper(hex.EncodeToString(serial)))
	application := []byte{byte(s.kind.folder >> 8), byte(s.kind.folder)}
	if _, err := s.ask("select the application", 0x00, 0xA4, 0, 0, application, 0); err != nil {
		return err
	}
	if err := s.internal(random); err != nil {
		return err
	}
	return s.external()
}

// internal is the proof of the card.
func (s *session) internal(random []byte) error {
	const act = "authenticate the card"
	want, err := s.sam.Cryptogram(s.ctx, s.serial, s.kind.folder, random)
	if err != nil {
		return samFault(act, err)
	}
	got, err := s.ask(act, 0x00, 0x88, 0, meterKey, random, 0)
	switch f := (*fault)(nil); {
	case errors.As(err, &f) && f.code == schemas.FaultIO:
		return &fault{schemas.FaultAuth, act, f.err}
	case err != nil:
		return err
	case !bytes.Equal(got, want):
		return &fault{schemas.FaultAuth, act, errors.New("its cryptogram is wrong")}
	}
	return nil
}

// external is the proof of the meter.
func (s *session) external() error {
	const act = "authenticate the meter"
	challenge, err := s.ask(act, 0x00, 0x84, 0, 0, nil, 8)
	if err != nil {
		return err
	}
	cryptogram, err := s.sam.Cryptogram(s.ctx, s.serial, s.kind.folder, challenge)
	if err != nil {
		return samFault(act, err)
	}
	_, err = s.ask(act, 0x00, 0x82, 0, meterKey, cryptogram, 0)
	if f := (*fault)(nil); errors.As(err, &f) && f.code == schemas.FaultIO {
		return &fault{schemas.FaultExternalAuth, act, f.err}
	}
	return err
}

func samFault(act string, err error) error {
	code := schemas.FaultESAMAuth
	if errors.Is(err, ErrNoSAM) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = schemas.FaultESAM
	}
	return &fault{code, act, err}
}

const macSize = 4

// read returns a file of the application, proved by its MAC.
func (s *session) read(sfi byte, size int) ([]byte, error) {
	act := fmt.Sprintf("read file %02X", sfi)
	challenge, err := s.ask(act, 0x00, 0x84, 0, 0, nil, 4)
	if err != nil {
		return nil, err
	}
	got, err := s.ask(act, 0x04, 0xB0, 0x80|sfi, 0, nil, size+macSize)
	if err != nil {
		return nil, err
	}
	if len(got) != size+macSize {
		return nil, &fault{schemas.FaultIO, act, fmt.Errorf("%d bytes came, want %d", len(got), size+macSize)}
	}
	data, mac := got[:size], got[size:]
	message := append([]byte{0x04, 0xB0, 0x80 | sfi, 0, byte(size + macSize)}, data...)
	want, err := s.sam.MAC(s.ctx, s.serial, s.kind.folder, challenge, message)
	if err != nil {
		return nil, samFault(act, err)
	}
	if !bytes.Equal(mac, want[:]) {
		return nil, &fault{schemas.FaultMAC, act, errors.New("the MAC of its data is wrong")}
	}
	return data, nil
}

// write replaces a file of the application.
func (s *session) write(sfi byte, data []byte) error {
	act := fmt.Sprintf("write file %02X", sfi)
	challenge, err := s.ask(act, 0x00, 0x84, 0, 0, nil, 4)
	if err != nil {
		return err
	}
	message := append([]byte{0x04, 0xD6, 0x80 | sfi, 0, byte(len(data) + macSize)}, data...)
	mac, err := s.sam.MAC(s.ctx, s.serial, s.kind.folder, challenge, message)
	if err != nil {
		return samFault(act, err)
	}
	_, err = s.ask(act, 0x04, 0xD6, 0x80|sfi, 0, append(data, mac[:]...), 0)
	return err
}

// ask sends a command and fetches what the card holds ready for it.
func (s *session) ask(act string, cla, ins, p1, p2 byte, data []byte, le int) ([]byte, error) {
	command := []byte{cla, ins, p1, p2}
	if len(data) > 0 {
		command = append(append(command, byte(len(data))), data...)
	} else {
		command = append(command, byte(le))
	}
	answer := s.card.Transmit(command)
	if n := len(answer); n == 2 && answer[0] == 0x61 {
		answer = s.card.Transmit([]byte{0x00, 0xC0, 0x00, 0x00, answer[1]})
	}
	if len(answer) < 2 {
		return nil, &fault{schemas.FaultEarlyRemoval, act, errors.New("the card is gone")}
	}
	n := len(answer) - 2
	if sw := binary.BigEndian.Uint16(answer[n:]); sw != 0x9000 {
		return nil, &fault{meaning(sw), act, fmt.Errorf("status word %04X", sw)}
	}
	return answer[:n], nil
}

// meaning returns the fault that a status word stands for.
func meaning(sw uint16) schemas.CardFault {
	switch sw {
	case 0x6B00, 0x6A82: // nothing there
		return schemas.FaultNotIssued
	case 0x6988, 0x9302:
		return schemas.FaultMAC
	case 0x6A88, 0x9403: // no such key
		return schemas.FaultKeyState
	}
	return schemas.FaultIO
}
