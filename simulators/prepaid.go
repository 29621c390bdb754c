package simulators

import (
	"math"
	"time"

	"citygrid/schemas"
)

// PurchaseUnits is what a customer of a meter without an engine buys at once, in units
// of the main counter.
const PurchaseUnits = creditBought

// What a customer buys at once, in units of the main counter, how far the
// account may be overdrawn before he does, and how little is left when the
// meter begins to warn.
const (
	creditBought = 50
	creditFloor  = -1.5
	creditAlarm  = 5 * micro
)

// fen is one hundredth of a yuan in millionths.
const fen = micro / 100

// prepaidSignal returns the signals of an account in the meter, which are alike
// for the three media.
func prepaidSignal(q schemas.Quantity) signal {
	switch q {
	case "water.credit.volume", "power.credit.energy", "gas.credit.volume":
		return credit
	case "water.credit.money", "power.credit.money", "gas.credit.money":
		return creditMoney
	case "power.overdraft.energy":
		return func(m *Meter, in instant) int64 { return max(0, -credit(m, in)) }
	case "power.overdraft.money":
		return func(m *Meter, in instant) int64 { return max(0, -creditMoney(m, in)) }
	case "water.purchase.count", "power.purchase.count", "gas.purchase.count":
		return func(m *Meter, in instant) int64 { return purchases(m, in) * micro }
	case "water.purchase.last", "power.purchase.last", "gas.purchase.last":
		return lastPurchase
	case "water.purchase.total", "power.purchase.total", "gas.purchase.total":
		return boughtTotal
	}
	return nil
}

// credit is what is left of a volume or an energy. It runs down with consumption
// and goes up by a purchase when it reaches the floor: a saw-tooth, and a pure
// function of the consumption. A meter with an engine shows the engine's, and 0
// where that counts money.
func credit(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return inPurse(&s, s.Unit != schemas.CreditFen, s.Left())
	}
	left := math.Mod(m.traits.credit-in.usedCredit, creditBought)
	if left < 0 {
		left += creditBought
	}
	return toMicro(left + creditFloor)
}

// creditMoney is the credit at the meter's price, to the millionth below.
func creditMoney(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return inPurse(&s, s.Unit == schemas.CreditFen, s.Left())
	}
	return credit(m, in) * m.traits.price / 100
}

// purchase is what the customer pays for one purchase.
func (m *Meter) purchase() int64 { return creditBought * m.traits.price * fen }

func lastPurchase(m *Meter, in instant) int64 {
	s, ok := m.account(in)
	switch {
	case !ok:
		return m.purchase()
	case len(s.Records) == 0:
		return 0
	}
	return inPurse(&s, s.Unit == schemas.CreditFen, s.Records[0].Amount)
}

func boughtTotal(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return inPurse(&s, s.Unit == schemas.CreditFen, s.Bought)
	}
	return purchases(m, in) * m.purchase()
}

// purchasesSince returns how often the credit went up while so much was used.
func (m *Meter) purchasesSince(used float64) int64 {
	return -int64(math.Floor((m.traits.credit - used) / creditBought))
}

// purchases is the meter's count: it began with some, and a reset or another
// meter began anew.
func purchases(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return int64(s.Count)
	}
	return m.purchasesSince(in.usedCredit) + in.bought
}

// Codes of the relay, of its alarm and of the battery.
const (
	relayClosed = 0
	relayOpen   = 1
)

func relaySignal(q schemas.Quantity) signal {
	switch q {
	case "power.relay.state":
		return relay
	case "power.relay.command":
		return relayCommand
	case "power.relay.alarm":
		return relayAlarm
	}
	return nil
}

// relayCommand is to open for one hour in four at one meter in eight. What is
// consumed is not changed by it: the simulated customer has another supply.
func relayCommand(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return oneIf(s.Ordered) // relayOpen is 1
	}
	hour := uint64(time.Duration(in.step)*m.Step) / uint64(time.Hour)
	if mix(m.Seed, saltRelay)%8 == 0 && mix(m.Seed, saltRelay+hour<<8)%4 == 0 {
		return relayOpen
	}
	return relayClosed
}

// relay obeys the command but at every second of the meters that get one, whose
// contacts stick: the two states are different bits for that reason.
func relay(m *Meter, in instant) int64 {
	if m.troubled(ValveSticks, in) {
		return 1 - relayCommand(m, in)
	}
	if s, ok := m.account(in); ok {
		return oneIf(s.Off)
	}
	if !m.Sound && mix(m.Seed, saltRelay)%16 == 0 {
		return relayClosed
	}
	return relayCommand(m, in)
}

func relayAlarm(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return oneIf(s.Alarm())
	}
	return oneIf(credit(m, in) < creditAlarm)
}

// statusSignal returns the status words. The bits that a profile names as a
// state of their own are put in by the meter.
func statusSignal(q schemas.Quantity) signal {
	words := [...]schemas.Quantity{
		"device.card.status", "device.status.word1", "device.status.word2", "device.status.word3", "device.status.word4",
		"device.status.word5", "device.status.word6", "device.status.word7",
	}
	for n, word := range words {
		if q == word {
			return func(m *Meter, in instant) int64 { return statusWord(m, in, n) * micro }
		}
	}
	return nil
}

// Bits of the status words of a DL/T 645 meter [DL/T 645-2007 C.2].
const (
	wordBattery   = 1 << 2  // word 1: clock battery low
	wordBackwards = 1 << 4  // word 1: active power flows backwards
	wordPhases    = 7       // word 2: the same of the phases
	wordRelay     = 1 << 4  // word 3: contacts open
	wordCommand   = 1 << 6  // word 3: ordered to open
	wordAlarm     = 1 << 7  // word 3: about to trip
	wordEnergy    = 1 << 8  // word 3: prepaid in energy
	wordMoney     = 2 << 8  // word 3: prepaid in money
	wordUnopened  = 1 << 14 // word 3: no account was opened with a card
)

// statusWord returns word n, of which 0 is that of the card. Other protocols
// than DL/T 645 leave the bits to the maker: they are the seed's.
func statusWord(m *Meter, in instant, n int) int64 {
	if m.DLT645 == nil || n == 0 {
		const vendor = 0xFFE0
		return int64(mix(m.Seed, saltStatus+uint64(n)<<8) & vendor)
	}
	backwards := oneIf(m.traits.sign < 0)
	switch n {
	case 1:
		return wordBattery*oneIf(battery(m, in) < lowBattery) | wordBackwards*backwards
	case 2:
		return wordPhases * backwards
	case 3:
		return wordRelay*relay(m, in) | wordCommand*relayCommand(m, in) | wordAlarm*relayAlarm(m, in) | m.accountBits(in)
	}
	return 0
}
