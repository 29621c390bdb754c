package prepaid

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/simulators/card"
)

// slot is a card in the meter's slot, with what a test does to it.
type slot struct {
	*card.Card
	// pull is after how many commands the card is gone, -1 for never; late lets it
	// carry out the last of them without the answer getting out.
	pull int
	late bool
	// bend changes an answer.
	bend func(command, answer []byte) []byte
	atr  []byte
	sent int
}

func (s *slot) Reset() []byte {
	if s.atr != nil {
		return s.atr
	}
	return s.Card.Reset()
}

func (s *slot) Transmit(command []byte) []byte {
	if s.pull >= 0 && s.sent >= s.pull {
		if s.late && s.sent == s.pull {
			s.Card.Transmit(command)
		}
		s.sent++
		return nil
	}
	s.sent++
	answer := s.Card.Transmit(command)
	if s.bend != nil {
		answer = s.bend(command, answer)
	}
	return answer
}

// mustCard is card n of the customer, for all three utilities.
func mustCard(t testing.TB, n uint32) *card.Card {
	t.Helper()
	c, err := card.New(card.Options{
		Serial: card.Serial(n), Customer: customer, Random: bytes.NewReader(bytes.Repeat([]byte{0x5A, byte(n), 0xC3}, 4096)),
		MeterNumbers: map[schemas.Medium]string{schemas.Power: number, schemas.Water: number, schemas.Gas: number},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sell writes a purchase on a card, as the counter does it, in files of its own
// making.
func sell(t testing.TB, c *card.Card, medium schemas.Medium, role Role, count uint32, amount int64) {
	t.Helper()
	wallet := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(amount)), count)
	if medium == schemas.Power {
		store(t, c, card.Power, 1, framed("0100270080000000002607010000000000500000002000000001000001"+number+customer+fmt.Sprintf("%02x", role)))
		store(t, c, card.Power, 2, wallet)
		return
	}
	folder := card.Water
	if medium == schemas.Gas {
		folder = card.Gas
	}
	store(t, c, folder, 1, framed(fmt.Sprintf("012d%s%s0101%02x1021%08x%04x000003e80000012c0001869f00000000000a00000000", number, customer, role, amount, count)))
	store(t, c, folder, 3, wallet)
}

func framed(body string) []byte {
	b, err := hex.DecodeString(body)
	if err != nil {
		panic(err)
	}
	var cs byte
	for _, v := range b {
		cs += v
	}
	return append(append([]byte{0x68}, b...), cs, 0x16)
}

func store(t testing.TB, c *card.Card, folder uint16, sfi byte, data []byte) {
	t.Helper()
	if err := c.Store(folder, sfi, data); err != nil {
		t.Fatal(err)
	}
}

func insert(m *Meter, c *card.Card, now time.Time) Outcome {
	return m.Insert(context.Background(), &slot{Card: c, pull: -1}, card.MeterSAM(), now)
}

// TestFrameVectors are the synthetic files of the facts about cards, 4.4.
func TestFrameVectors(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{hex.EncodeToString(framed("0100270080000000002607010000000000500000002000000001000001" + number + customer + "02")),
			"680100270080000000002607010000000000500000002000000001000001000000000161112233445566021116"},
		{hex.EncodeToString(framed("012d00000000078900000011223301010210000000138800" + "03000003e80000012c0001869f00000000000a00000000")),
			"68012d0000000007890000001122330101021000000013880003000003e80000012c0001869f00000000000a000000001e16"},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
}

// TestInsert opens an account, buys again, and finds both in the return file.
func TestInsert(t *testing.T) {
	m, c := mustMeter(t, powerConfig()), mustCard(t, 1)
	sell(t, c, schemas.Power, OpenCard, 1, 100_00)
	out := insert(m, c, start.Add(90*time.Second))
	if out.Fault != 0 || !out.Loaded || !out.Returned || out.Purchase.Card != c.ID() {
		t.Fatalf("%+v", out)
	}
	if out = insert(m, c, start); out.Fault != 0 || out.Loaded || m.Left() != 100_00 {
		t.Errorf("the same again: %+v, %d left", out, m.Left())
	}
	m.Consume(10_000, start.Add(time.Hour))
	sell(t, c, schemas.Power, PurchaseCard, 2, 50_00)
	if out = insert(m, c, start.Add(26*time.Hour+59*time.Second)); !out.Loaded || m.Left() != 144_72 || m.State().Limits.Alarm1 != 50_00 {
		t.Errorf("%+v, %d left, limits %+v", out, m.Left(), m.State().Limits)
	}
	back, _ := c.File(card.Power, 5)
	want := framed("01002b00" + "000001000001" + number + customer + "00003888" + "00000002" + "00000000" + "00000000" + "000000" + "2603020200")
	if !bytes.Equal(back, want) {
		t.Errorf("return file\n%x, want\n%x", back, want)
	}
	if wallet, _ := c.File(card.Power, 2); !bytes.Equal(wallet, []byte{0, 0, 0, 0, 0, 0, 0, 2}) {
		t.Errorf("wallet %x", wallet)
	}
}

// TestInsertWater checks the return file of water, field by field.
func TestInsertWater(t *testing.T) {
	config := Config{Utility: schemas.Water, Number: number, Unit: schemas.CreditFen, Current: flat(30_000), Start: start}
	m, c := mustMeter(t, config), mustCard(t, 1)
	sell(t, c, schemas.Water, OpenCard, 1, 50_00)
	insert(m, c, start)
	m.Consume(7_000, start.AddDate(0, 1, 0).Add(4*24*time.Hour)) // 21 yuan, in April
	if out := insert(m, c, start.AddDate(0, 1, 4)); out.Fault != 0 || out.Loaded || !out.Returned {
		t.Fatalf("%+v", out)
	}
	back, _ := c.File(card.Water, 2)
	want := framed("0177" + number + customer + "0101021000" + "0000" + "00001388" + "0001" + "000003e8" + "0000012c" + "0001869f" + "00000000" +
		"0000" + "00000b54" + "00001388" + "00000834" + "000002bc" + "0007" + "000a" + fmt.Sprintf("%096d", 0) + "2026040200000000")
	if !bytes.Equal(back, want) {
		t.Errorf("return file\n%x, want\n%x", back, want)
	}
	sell(t, c, schemas.Water, PurchaseCard, 2, 10_00)
	store(t, c, card.Water, 3, []byte{0, 0, 3, 0xE7, 0, 0, 0, 2}) // 9.99 in the wallet
	if out := insert(m, c, start.AddDate(0, 1, 4)); out.Fault != schemas.FaultFormat || m.Count() != 1 {
		t.Errorf("wallet and purchase file differ: %+v", out)
	}
}

// sam is a security module that fails.
type sam struct {
	card.SAM
	err error
}

func (s sam) Cryptogram(context.Context, schemas.CardID, uint16, []byte) ([]byte, error) {
	return nil, s.err
}

// status gives a status word instead of the answer to an instruction.
func status(ins byte, sw uint16) func(command, answer []byte) []byte {
	return func(command, answer []byte) []byte {
		if command[1] == ins {
			return binary.BigEndian.AppendUint16(nil, sw)
		}
		return answer
	}
}

// TestFaults has each code that a meter can show.
func TestFaults(t *testing.T) {
	type stage struct {
		m   *Meter
		c   *card.Card
		s   *slot
		sam SAM
	}
	file := func(change func(file []byte)) func(*testing.T, *stage) {
		return func(t *testing.T, st *stage) {
			f, _ := st.c.File(card.Power, 1)
			change(f)
			var cs byte
			for _, v := range f[1:43] {
				cs += v
			}
			f[43] = cs
			store(t, st.c, card.Power, 1, f)
		}
	}
	spoil := func(ins byte) func(*testing.T, *stage) {
		return func(_ *testing.T, st *stage) {
			st.s.bend = func(command, answer []byte) []byte {
				if command[1] == ins && len(answer) > 2 {
					answer[0] ^= 1
				}
				return answer
			}
		}
	}
	word := func(ins byte, sw uint16) func(*testing.T, *stage) {
		return func(_ *testing.T, st *stage) { st.s.bend = status(ins, sw) }
	}
	unopened := func(role Role) func(*testing.T, *stage) {
		return func(t *testing.T, st *stage) {
			st.m = mustMeter(t, powerConfig())
			sell(t, st.c, schemas.Power, role, 1, 10_00)
		}
	}
	purchase := func(n uint32, amount int64) func(*testing.T, *stage) {
		return func(t *testing.T, st *stage) { sell(t, st.c, schemas.Power, PurchaseCard, n, amount) }
	}
	for name, tt := range map[string]struct {
		want    schemas.CardFault
		illegal bool
		change  func(*testing.T, *stage)
	}{
		"low voltage":             {schemas.FaultLowVoltage, false, func(_ *testing.T, st *stage) { st.m.Brown(true) }},
		"no security module":      {schemas.FaultESAM, false, func(_ *testing.T, st *stage) { st.sam = nil }},
		"security module is dead": {schemas.FaultESAM, false, func(_ *testing.T, st *stage) { st.sam = sam{err: ErrNoSAM} }},
		"security module refuses": {schemas.FaultESAMAuth, false, func(_ *testing.T, st *stage) { st.sam = sam{err: errors.New("no")} }},
		"wrong way round":         {schemas.FaultReset, false, func(_ *testing.T, st *stage) { st.s.atr = []byte{} }},
		"metal":                   {schemas.FaultReset, false, func(_ *testing.T, st *stage) { st.s.atr = []byte{0xFF, 0xFF} }},
		"cryptogram of the card":  {schemas.FaultAuth, true, spoil(0xC0)},
		"card will not prove":     {schemas.FaultAuth, true, word(0x88, 0x6985)},
		"card refuses the meter":  {schemas.FaultExternalAuth, true, word(0x82, 0x63C2)},
		"not issued":              {schemas.FaultNotIssued, true, word(0xB0, 0x6B00)},
		"no such application":     {schemas.FaultNotIssued, true, word(0xA4, 0x6A82)},
		"type":                    {schemas.FaultType, false, file(func(f []byte) { f[42] = 9 })},
		"no such key":             {schemas.FaultKeyState, false, word(0x88, 0x6A88)},
		"MAC of what was read": {schemas.FaultMAC, true, func(_ *testing.T, st *stage) {
			st.s.bend = func(command, answer []byte) []byte {
				if command[0] == 0x04 && command[1] == 0xB0 {
					answer[5] ^= 1
				}
				return answer
			}
		}},
		"meter number": {schemas.FaultMeterNumber, false, file(func(f []byte) { f[35] ^= 1 })},
		"customer":     {schemas.FaultCustomer, false, file(func(f []byte) { f[41] ^= 1 })},
		"another card": {schemas.FaultSerial, false, func(t *testing.T, st *stage) {
			other := mustCard(t, 2)
			sell(t, other, schemas.Power, PurchaseCard, 2, 10_00)
			st.s.Card = other
		}},
		"checksum": {schemas.FaultFormat, false, func(t *testing.T, st *stage) {
			f, _ := st.c.File(card.Power, 1)
			f[43] ^= 1
			store(t, st.c, card.Power, 1, f)
		}},
		"alarm is no number":      {schemas.FaultFormat, false, file(func(f []byte) { f[16] = 0xA0 })},
		"length":                  {schemas.FaultFormat, false, file(func(f []byte) { f[3] = 1 })},
		"purchase, not opened":    {schemas.FaultNotOpened, false, unopened(PurchaseCard)},
		"replacement, not opened": {schemas.FaultNotOpenedNew, false, unopened(ReplaceCard)},
		"a purchase lies between": {schemas.FaultCount, false, purchase(3, 10_00)},
		"an old purchase":         {schemas.FaultCount, false, purchase(0, 10_00)},
		"replacement was used": {schemas.FaultReturnFile, false, func(t *testing.T, st *stage) {
			other := mustCard(t, 2)
			sell(t, other, schemas.Power, ReplaceCard, 2, 10_00)
			store(t, other, card.Power, 5, bytes.Repeat([]byte{0x68}, 49))
			st.s.Card = other
		}},
		"answers nonsense":      {schemas.FaultIO, false, word(0xB0, 0x6F00)},
		"card memory":           {schemas.FaultIO, false, word(0xD6, 0x6581)},
		"pulled":                {schemas.FaultEarlyRemoval, false, func(_ *testing.T, st *stage) { st.s.pull = 5 }},
		"above the hoard limit": {schemas.FaultHoard, false, purchase(2, 800_01)},
		"above what can be shown": {schemas.FaultHoard, false, func(t *testing.T, st *stage) {
			st.m.s.Limits.Hoard = 0
			sell(t, st.c, schemas.Power, PurchaseCard, 2, 1_000_000_00)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			st := &stage{m: mustMeter(t, powerConfig(func(c *Config) { c.Hoard = 900_00 })), c: mustCard(t, 1), sam: card.MeterSAM()}
			sell(t, st.c, schemas.Power, OpenCard, 1, 100_00)
			if out := insert(st.m, st.c, start); !out.Loaded || out.Fault != 0 {
				t.Fatalf("open: %+v", out)
			}
			sell(t, st.c, schemas.Power, PurchaseCard, 2, 10_00)
			st.s = &slot{Card: st.c, pull: -1}
			tt.change(t, st)
			before := st.m.State()
			out := st.m.Insert(context.Background(), st.s, st.sam, start)
			after := st.m.State()
			if out.Fault != tt.want || out.Err == nil {
				t.Fatalf("fault %d (%v), want %d", out.Fault, out.Err, tt.want)
			}
			if got := after.Illegal - before.Illegal; (got == 1) != tt.illegal {
				t.Errorf("%d illegal cards counted", got)
			}
			if !out.Loaded && (after.Left() != before.Left() || after.Count != before.Count || len(after.Records) != len(before.Records)) {
				t.Errorf("refused, and yet %+v", after)
			}
			foots(t, &after)
		})
	}
}

// TestFaultsInTheirOrder mends a card that breaks every rule, one rule after the
// other.
func TestFaultsInTheirOrder(t *testing.T) {
	m := opened(t, 10_00, func(c *Config) { c.Hoard = 20_00 })
	m.Brown(true)
	p := Presented{Serial: second, Role: PurchaseCard, Number: "1", Customer: "2", Count: 9, Amount: 100_00}
	for _, step := range []struct {
		want schemas.CardFault
		mend func()
	}{
		{schemas.FaultMeterNumber, func() { p.Number = number }},
		{schemas.FaultCustomer, func() { p.Customer = customer }},
		{schemas.FaultSerial, func() { p.Role = ReplaceCard }},
		{schemas.FaultCount, func() { p.Count = 2 }},
		{schemas.FaultHoard, func() { p.Amount = 10_00 }},
		{schemas.FaultReturnFile, func() { p.ReturnEmpty = true }},
		{schemas.FaultLowVoltage, func() { m.Brown(false) }},
		{schemas.FaultNone, func() {}},
	} {
		if out := m.Accept(p, start); out.Fault != step.want {
			t.Fatalf("fault %d, want %d", out.Fault, step.want)
		}
		step.mend()
	}
	if s := m.State(); s.Card != second || s.Count != 2 || s.Residual != 20_00 {
		t.Errorf("the replacement is not bound: %+v", s)
	}
	if out := m.Accept(buy(3, 1), start); out.Fault != schemas.FaultSerial {
		t.Errorf("the card that was replaced: fault %d", out.Fault)
	}
	if out := m.Accept(Presented{Serial: second, Role: CloseCard, Number: number, Customer: customer}, start); out.Fault != 0 || out.Loaded {
		t.Errorf("a card that closes the relay: %+v", out)
	}
}

// TestTear pulls the card at each command of a load, before the card has got it
// and after, and puts it in again: money is neither made nor lost, and the end is
// always the same.
func TestTear(t *testing.T) {
	whole := func(s State) State {
		s.Pulled = 0
		return s
	}
	for _, medium := range []schemas.Medium{schemas.Power, schemas.Water} {
		reference, end, back := tear(t, medium, -1, false)
		for _, late := range []bool{false, true} {
			for pull := range reference.sent {
				torn, s, got := tear(t, medium, pull, late)
				if !reflect.DeepEqual(whole(s), whole(end)) || !bytes.Equal(got, back) {
					t.Fatalf("%s pulled at command %d: %+v, want %+v\n%x, want %x", medium, pull, s, end, got, back)
				}
				if s.Pulled != 1 || torn.sent < pull {
					t.Errorf("pulled %d times, %d commands", s.Pulled, torn.sent)
				}
			}
		}
	}
}

func tear(t *testing.T, medium schemas.Medium, pull int, late bool) (*slot, State, []byte) {
	config := Config{Utility: medium, Number: number, Unit: schemas.CreditFen, Current: flat(5283), Start: start}
	m, c := mustMeter(t, config), mustCard(t, 1)
	sell(t, c, medium, OpenCard, 1, 100_00)
	s := &slot{Card: c, pull: pull, late: late}
	out := m.Insert(context.Background(), s, card.MeterSAM(), start)
	if pull >= 0 && (out.Fault != schemas.FaultEarlyRemoval || out.Loaded != (m.Left() == 100_00) || m.Left() != 0 && m.Left() != 100_00) {
		t.Fatalf("pulled at %d: %+v, %d left", pull, out, m.Left())
	}
	if state := m.State(); pull >= 0 && state.ReturnOwed == out.Returned && out.Loaded {
		t.Fatalf("pulled at %d: %+v, owed %v", pull, out, state.ReturnOwed)
	}
	if pull >= 0 {
		if again := insert(m, c, start); again.Fault != 0 || again.Loaded == out.Loaded || !again.Returned {
			t.Fatalf("pulled at %d, then: %+v", pull, again)
		}
	}
	folder, sfi := card.Power, byte(5)
	if medium == schemas.Water {
		folder, sfi = card.Water, 2
	}
	back, _ := c.File(folder, sfi)
	return s, m.State(), back
}

// TestNeverTwice: a purchase is loaded once, whatever is written on the card again.
func TestNeverTwice(t *testing.T) {
	m, c := mustMeter(t, powerConfig()), mustCard(t, 1)
	sell(t, c, schemas.Power, OpenCard, 1, 100_00)
	for range 5 {
		insert(m, c, start)
		store(t, c, card.Power, 2, []byte{0, 0, 0x27, 0x10, 0, 0, 0, 1}) // a copy of the wallet
	}
	if s := m.State(); s.Bought != 100_00 || len(s.Records) != 1 {
		t.Errorf("loaded %d", s.Bought)
	}
}
