package prepaid

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"citygrid/schemas"
)

// kind is how the card of a utility is laid out: its folder, and the short
// identifiers of its files [metering 4.4].
type kind struct {
	folder                        uint16
	order, wallet, returnFile     byte // order is the parameter or purchase file
	orderSize, returnSize, typeAt int
	headSize, meterAt             int // 68, command and length; where the numbers begin
}

const walletSize = 8

func kindOf(medium schemas.Medium) kind {
	if medium == schemas.Power {
		return kind{folder: 0xDF01, order: 1, wallet: 2, returnFile: 5, orderSize: 45, returnSize: 49, typeAt: 42, headSize: 4, meterAt: 30}
	}
	k := kind{folder: 0xDF02, order: 1, wallet: 3, returnFile: 2, orderSize: 50, returnSize: 124, typeAt: 17, headSize: 3, meterAt: 3}
	if medium == schemas.Gas {
		k.folder = 0xDF03
	}
	return k
}

const frameBegin, frameEnd, frameCommand = 0x68, 0x16, 0x01

// readCard reads and checks the files of a card: rules 2 and 3.
func (m *Meter) readCard(s *session) (Presented, error) {
	k := s.kind
	order, err := s.read(k.order, k.orderSize)
	if err != nil {
		return Presented{}, err
	}
	p := Presented{Serial: s.serial, Role: Role(order[k.typeAt])}
	if !p.Role.Known() {
		return p, &fault{schemas.FaultType, "look at the card type", fmt.Errorf("type %02X", byte(p.Role))}
	}
	if err := k.sound(order); err != nil {
		return p, &fault{schemas.FaultFormat, fmt.Sprintf("check file %02X", k.order), err}
	}
	p.Number = hex.EncodeToString(order[k.meterAt : k.meterAt+6])
	p.Customer = schemas.CustomerID(hex.EncodeToString(order[k.meterAt+6 : k.meterAt+12]))
	wallet, err := s.read(k.wallet, walletSize)
	if err != nil {
		return p, err
	}
	p.Amount, p.Count = int64(binary.BigEndian.Uint32(wallet)), binary.BigEndian.Uint32(wallet[4:])
	if p.Limits, err = m.limitsOf(k, order, &p); err != nil {
		return p, &fault{schemas.FaultFormat, fmt.Sprintf("check file %02X", k.order), err}
	}
	back, err := s.read(k.returnFile, k.returnSize)
	if err != nil {
		return p, err
	}
	p.ReturnEmpty = blank(back)
	return p, nil
}

// sound checks the frame of a file.
func (k *kind) sound(file []byte) error {
	n := len(file)
	length := int(file[2])
	if k.headSize == 4 {
		length = length<<8 | int(file[3])
	}
	switch {
	case file[0] != frameBegin || file[n-1] != frameEnd || file[1] != frameCommand:
		return errors.New("it is no frame 68 01 .. 16")
	case length != n-k.headSize-2:
		return fmt.Errorf("its length says %d bytes, it has %d", length, n-k.headSize-2)
	case sum(file[1:n-2]) != file[n-2]:
		return fmt.Errorf("its checksum is %02X, want %02X", file[n-2], sum(file[1:n-2]))
	}
	return nil
}

// Offsets in the parameter file of power, and what its update flag means.
const (
	powerFlag, powerAlarms = 5, 16
	powerSetsAlarms        = 0x80
)

// Offsets in the purchase file of water and gas.
const flowFlag, flowAmount, flowCount, flowLimits = 19, 20, 24, 26

// limitsOf returns the limits that the card brings, nil when it brings none. The
// purchase file of water and gas repeats amount and count; while the wallet, which
// is written after it, brings a purchase, the two must agree.
func (m *Meter) limitsOf(k kind, order []byte, p *Presented) (*Limits, error) {
	limits := m.s.Limits
	if m.config.Utility == schemas.Power {
		if order[powerFlag]&powerSetsAlarms == 0 {
			return nil, nil
		}
		a, ok1 := bcd(order[powerAlarms : powerAlarms+4])
		b, ok2 := bcd(order[powerAlarms+4 : powerAlarms+8])
		if !ok1 || !ok2 {
			return nil, errors.New("its alarm limits are no digits")
		}
		limits.Alarm1, limits.Alarm2 = a, b
		return &limits, nil
	}
	amount, count := int64(binary.BigEndian.Uint32(order[flowAmount:])), binary.BigEndian.Uint16(order[flowCount:])
	if p.Count == m.s.Count+1 && (amount != p.Amount || count != uint16(p.Count)) {
		return nil, fmt.Errorf("it says purchase %d of %d, the wallet %d of %d", count, amount, p.Count, p.Amount)
	}
	if order[flowFlag] == 0 {
		return nil, nil
	}
	for i, limit := range []*int64{&limits.Alarm1, &limits.Alarm2, &limits.Hoard, &limits.Overdraft} {
		*limit = int64(binary.BigEndian.Uint32(order[flowLimits+4*i:]))
	}
	return &limits, nil
}

func blank(file []byte) bool {
	return !slices.ContainsFunc(file, func(b byte) bool { return b != file[0] }) && (file[0] == 0 || file[0] == 0xFF)
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// bcd reads decimal digits, two a byte.
func bcd(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c>>4 > 9 || c&15 > 9 {
			return 0, false
		}
		n = 100*n + int64(c>>4)*10 + int64(c&15)
	}
	return n, true
}

// Bits of the meter state in the return file of water and gas, as in ST of
// CJ/T 188: the layout names the field and not its bits.
const stateClosed = 0x0001

// returnFile is what the meter writes back.
func (m *Meter) returnFile(k kind) []byte {
	if m.config.Utility == schemas.Power {
		return m.powerReturn()
	}
	s := &m.s
	w := writer{frameBegin, frameCommand, byte(k.returnSize - k.headSize - 2)}
	w.digits(s.Number, 6)
	w.digits(string(s.Customer), 6)
	w = append(w, 1, 1, byte(PurchaseCard), m.flowType(), 0, 0, 0)
	last := Purchase{}
	if len(s.Records) > 0 {
		last = s.Records[0]
	}
	w.binary(last.Amount, 4)
	w.binary(int64(uint16(s.Count)), 2)
	w.binary(s.Limits.Alarm1, 4)
	w.binary(s.Limits.Alarm2, 4)
	w.binary(s.Limits.Hoard, 4)
	w.binary(s.Limits.Overdraft, 4)
	state := int64(0)
	if s.Off {
		state = stateClosed
	}
	w.binary(state, 2)
	w.binary(s.Residual, 4)
	w.binary(s.Bought, 4)
	w.binary(s.Charged, 4)
	w.binary(s.Used/flowPulse, 4)
	w.binary(s.Month/1000, 2) // whole cubic metres
	w.binary(flowPulse, 2)
	for _, used := range s.Months {
		w.binary(used/1000, 2)
	}
	w.time(m.now, 8)
	return w.end()
}

// flowPulse is how many litres a pulse stands for.
const flowPulse = 10

// flowType is the meter type of CJ/T 188: cold water or gas.
func (m *Meter) flowType() byte {
	if m.config.Utility == schemas.Gas {
		return 0x30
	}
	return 0x10
}

func (m *Meter) powerReturn() []byte {
	s := &m.s
	w := writer{frameBegin, frameCommand, 0, 43, 0, 0, 0, 1, 0, 0, 1} // transformers 1:1
	w.digits(s.Number, 6)
	w.digits(string(s.Customer), 6)
	w.binary(s.Residual, 4)
	w.binary(int64(s.Count), 4)
	w.binary(s.Overdraft, 4)
	w.binary(0, 4) // key state
	w.digits(fmt.Sprint(min(s.Illegal, 999_999)), 3)
	w.time(m.now, 5)
	return w.end()
}

// writer puts a file together.
type writer []byte

func (w *writer) digits(s string, size int) {
	b, err := hex.DecodeString(fmt.Sprintf("%0*s", 2*size, s))
	if err != nil || len(b) != size {
		b = make([]byte, size)
	}
	*w = append(*w, b...)
}

// binary writes n, or the most that the bytes hold, the highest first.
func (w *writer) binary(n int64, size int) {
	n = min(max(n, 0), math.MaxInt64>>1, 1<<(8*size)-1)
	for i := size - 1; i >= 0; i-- {
		*w = append(*w, byte(n>>(8*i)))
	}
}

// time writes the local time in digits: YYMMDDhhmm, or YYYYMMDDhhmmss and 00.
func (w *writer) time(t time.Time, size int) {
	l := local(t)
	if size == 5 {
		w.digits(l.Format("0601021504"), size)
		return
	}
	w.digits(l.Format("20060102150405")+"00", size)
}

func (w *writer) end() []byte {
	body := *w
	return append(body, sum(body[1:]), frameEnd)
}
