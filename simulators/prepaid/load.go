package prepaid

import (
	"time"

	"citygrid/schemas"
)

// Role is the kind of a user card, as its byte on the card.
type Role uint8

// The roles.
const (
	CloseCard    Role = 0 // closes the relay again, and brings nothing
	OpenCard     Role = 1 // opens the account, and carries its first purchase
	PurchaseCard Role = 2
	ReplaceCard  Role = 3 // stands in for a card that was lost
)

// Known reports whether meters take cards of the role.
func (r Role) Known() bool { return r <= ReplaceCard }

// Presented is what a card tells a meter, once it has proved that it is genuine.
type Presented struct {
	Serial   schemas.CardID
	Role     Role
	Number   string // of the meter that it is for
	Customer schemas.CustomerID
	// Count and Amount are the last purchase that was written on it, in the unit
	// of the meter's purse.
	Count  uint32
	Amount int64
	// Limits, if set, are to be taken over with the purchase.
	Limits *Limits
	// ReturnEmpty: nothing has been written back on it yet.
	ReturnEmpty bool
}

// Outcome is what came of a card in the slot.
type Outcome struct {
	// Fault is why the meter refused the card, as its display shows it; FaultNone
	// when it took it. With FaultEarlyRemoval and FaultIO the purchase may have
	// been loaded nevertheless: Loaded says so.
	Fault schemas.CardFault
	// Loaded: the purchase was taken into the purse, as Purchase records it.
	Loaded   bool
	Purchase Purchase
	// Returned: the return file was written. The amount on the card is cleared
	// after it, which changes nothing for this meter.
	Returned bool
	// Err says more of what went wrong, nil without a Fault.
	Err error
}

// Accept judges a card by what it tells, from the meter number on, and takes its
// purchase if it is the next one. A card whose purchase was loaded before is
// accepted, and loads nothing. Residual, count, limits and record change together
// or not at all.
//
// Insert is Accept with the card's own files; a simulation that has no need of
// APDUs calls Accept and has no return file.
func (m *Meter) Accept(c Presented, now time.Time) Outcome {
	m.advance(now)
	if fault := m.judge(&c); fault != schemas.FaultNone {
		return Outcome{Fault: fault}
	}
	s := &m.s
	out := Outcome{Loaded: c.Role != CloseCard && c.Count != s.Count}
	s.Opened, s.Card, s.Customer = true, c.Serial, c.Customer
	if out.Loaded {
		out.Purchase = m.load(&c)
	}
	// The card itself ends a stop at the second alarm.
	m.release()
	m.watch()
	return out
}

// judge applies the rules 4 to 11 in their order.
func (m *Meter) judge(c *Presented) schemas.CardFault {
	s := &m.s
	next := c.Role != CloseCard && c.Count == s.Count+1
	switch {
	case c.Number != s.Number:
		return schemas.FaultMeterNumber
	case s.Customer != "" && c.Customer != s.Customer:
		return schemas.FaultCustomer
	case s.Opened && c.Serial != s.Card && c.Role != ReplaceCard:
		return schemas.FaultSerial
	case !s.Opened && (c.Role == PurchaseCard || c.Role == CloseCard):
		return schemas.FaultNotOpened
	case !s.Opened && c.Role == ReplaceCard:
		return schemas.FaultNotOpenedNew
	case c.Role != CloseCard && c.Count != s.Count && !next:
		return schemas.FaultCount
	case next && m.hoards(c):
		return schemas.FaultHoard
	case c.Serial != s.Card && !c.ReturnEmpty:
		return schemas.FaultReturnFile
	case m.lowVolt:
		return schemas.FaultLowVoltage
	}
	return schemas.FaultNone
}

// hoards reports a purchase that the purse does not take: by the limit that
// stands in the meter, not by one that the card brings with it.
func (m *Meter) hoards(c *Presented) bool {
	most := int64(maxPurse)
	if hoard := m.s.Limits.Hoard; hoard > 0 {
		most = min(most, hoard)
	}
	return c.Amount < 0 || c.Amount > maxPurse || m.s.Left()+c.Amount > most
}

// load adds a purchase to the purse: what is owed is paid first.
func (m *Meter) load(c *Presented) Purchase {
	s := &m.s
	p := Purchase{Count: c.Count, At: m.now, Amount: c.Amount, Before: s.Residual, Card: c.Serial}
	left := s.Left() + c.Amount
	s.Residual, s.Overdraft = max(left, 0), max(-left, 0)
	s.Bought += c.Amount
	s.Count = c.Count
	if c.Limits != nil {
		s.Limits = *c.Limits
	}
	s.Warned = s.Residual <= s.Limits.Alarm2
	p.After, p.Bought = s.Residual, s.Bought
	s.Records = append([]Purchase{p}, s.Records[:min(len(s.Records), maxRecords-1)]...)
	return p
}
