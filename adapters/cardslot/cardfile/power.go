package cardfile

import (
	"time"

	"citygrid/schemas"
)

// Sizes of the power application's files.
const (
	ParametersSize  = 45
	PowerReturnSize = 49
)

// Update is the set of what a meter shall take over from the power card.
type Update byte

// The bits of the update flag.
const (
	UpdateParameters Update = 1 << 7
	UpdateSpareSteps Update = 1 << 3
	UpdateSteps      Update = 1 << 2
	UpdateSparePrice Update = 1 << 1
	UpdatePrice      Update = 1 << 0
)

// Parameters is the power parameter file (DF01, file 01).
type Parameters struct {
	Command   byte // 01 on user cards
	Reserved1 byte
	Update    Update
	Reserved2 [4]byte
	// SwitchAt is when the spare price comes into force, a whole minute; zero:
	// never.
	SwitchAt  time.Time
	Reserved3 byte
	// Alarm1 and Alarm2 are the limits below which the meter warns and trips once;
	// 8 BCD digits of fen.
	Alarm1, Alarm2 schemas.Fen
	// CT and PT are the ratios of the transformers, 6 BCD digits.
	CT, PT   uint32
	Meter    Number
	Customer Number
	Type     CardType
}

const parameterFile = "power parameter file"

// DecodeParameters reads a power parameter file.
func DecodeParameters(b []byte) (Parameters, error) {
	var p Parameters
	r := newReader(parameterFile, b, ParametersSize)
	p.Command = r.frame(2)
	p.Reserved1 = r.byte()
	p.Update = Update(r.byte())
	r.keep(p.Reserved2[:])
	p.SwitchAt = r.minute("tariff switch")
	p.Reserved3 = r.byte()
	p.Alarm1 = schemas.Fen(r.bcd("alarm 1", 4))
	p.Alarm2 = schemas.Fen(r.bcd("alarm 2", 4))
	p.CT = uint32(r.bcd("CT", 3))
	p.PT = uint32(r.bcd("PT", 3))
	p.Meter = Number(r.bcd("meter number", 6))
	p.Customer = Number(r.bcd("customer number", 6))
	p.Type = CardType(r.byte())
	if r.err != nil {
		return Parameters{}, r.err
	}
	return p, nil
}

// Encode returns the file.
func (p Parameters) Encode() ([]byte, error) {
	w := newWriter(parameterFile, ParametersSize)
	w.begin(p.Command, 2, ParametersSize-6)
	w.byte(p.Reserved1)
	w.byte(byte(p.Update))
	w.keep(p.Reserved2[:])
	w.minute("tariff switch", p.SwitchAt)
	w.byte(p.Reserved3)
	w.fen("alarm 1", p.Alarm1)
	w.fen("alarm 2", p.Alarm2)
	w.bcd("CT", 3, uint64(p.CT))
	w.bcd("PT", 3, uint64(p.PT))
	w.bcd("meter number", 6, uint64(p.Meter))
	w.bcd("customer number", 6, uint64(p.Customer))
	w.byte(byte(p.Type))
	return w.end()
}

// fen writes 8 BCD digits of fen.
func (w *writer) fen(field string, f schemas.Fen) {
	if f < 0 {
		w.fail(field, "%d fen; want 0 or more", f)
	}
	w.bcd(field, 4, uint64(f))
}

// PowerReturn is the power return file (DF01, file 05): what the meter wrote back
// when it last took the card. The sources fix the order of its fields; that the
// purse is binary like the wallet and the counter of illegal cards BCD is our
// reading.
type PowerReturn struct {
	Command  byte
	Reserved byte
	CT, PT   uint32
	Meter    Number
	Customer Number
	// Remaining is the meter's residual, Overdraft what the customer owes it.
	Remaining schemas.Fen
	Count     uint32 // of the last purchase that the meter took
	Overdraft schemas.Fen
	KeyState  uint32
	// Illegal counts the cards that the meter refused as not authentic.
	Illegal uint32
	// WrittenAt is when, by the meter's clock, a whole minute; zero: not known.
	WrittenAt time.Time
}

const powerReturnFile = "power return file"

// DecodePowerReturn reads a power return file.
func DecodePowerReturn(b []byte) (PowerReturn, error) {
	var p PowerReturn
	r := newReader(powerReturnFile, b, PowerReturnSize)
	p.Command = r.frame(2)
	p.Reserved = r.byte()
	p.CT = uint32(r.bcd("CT", 3))
	p.PT = uint32(r.bcd("PT", 3))
	p.Meter = Number(r.bcd("meter number", 6))
	p.Customer = Number(r.bcd("customer number", 6))
	p.Remaining = schemas.Fen(r.binary(4))
	p.Count = r.binary(4)
	p.Overdraft = schemas.Fen(r.binary(4))
	p.KeyState = r.binary(4)
	p.Illegal = uint32(r.bcd("illegal cards", 3))
	p.WrittenAt = r.minute("write-back time")
	if r.err != nil {
		return PowerReturn{}, r.err
	}
	return p, nil
}

// Encode returns the file.
func (p PowerReturn) Encode() ([]byte, error) {
	w := newWriter(powerReturnFile, PowerReturnSize)
	w.begin(p.Command, 2, PowerReturnSize-6)
	w.byte(p.Reserved)
	w.bcd("CT", 3, uint64(p.CT))
	w.bcd("PT", 3, uint64(p.PT))
	w.bcd("meter number", 6, uint64(p.Meter))
	w.bcd("customer number", 6, uint64(p.Customer))
	w.credit("remaining", schemas.Credit{Value: int64(p.Remaining), Unit: schemas.CreditFen})
	w.binary("count", 4, p.Count)
	w.credit("overdraft", schemas.Credit{Value: int64(p.Overdraft), Unit: schemas.CreditFen})
	w.binary("key state", 4, p.KeyState)
	w.bcd("illegal cards", 3, uint64(p.Illegal))
	w.minute("write-back time", p.WrittenAt)
	return w.end()
}
