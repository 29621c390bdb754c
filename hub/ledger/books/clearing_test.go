package books

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

const (
	hangzhou = schemas.IssuerID("33010001")
	nanjing  = schemas.IssuerID("32010002")
	shaoxing = schemas.IssuerID("33060001")
)

// town is the books of one issuer, with its own meters and the rows of its
// terminals that are not in the books yet.
type town struct {
	*Books
	id     schemas.IssuerID
	number int // of the channel's last file
	orders int
	sales  map[ledger.Day][]ledger.Sale
}

func newTown(t *testing.T, dsn string, id schemas.IssuerID, meters int) *town {
	t.Helper()
	o := testOptions()
	o.Issuer = id
	c := &town{Books: mustOpenWith(t, dsn, o), id: id, sales: make(map[ledger.Day][]ledger.Sale)}
	var places []ledger.Place
	var issued []schemas.CardEntry
	for i := range meters {
		places = append(places, ledger.Place{Meter: schemas.MeterID(fmt.Sprintf("W-%s-%d", id, i)), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "flat",
			Readout: ledger.ByCard, Installations: []ledger.Installation{{From: at(start-100, 0), MeterNumber: c.meter(i)}}})
		issued = append(issued, schemas.CardEntry{Event: schemas.CardIssue, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: c.meter(i),
			Issuer: id, Card: c.card(i), TakenAt: at(start-99, 9)})
	}
	must(t, c.StoreRegister(t.Context(), places))
	must(t, c.StoreCards(t.Context(), "edge-1", issued))
	return c
}

// meter and card: all cities have given the number of the first meter.
func (c *town) meter(i int) string {
	if i == 0 {
		return "000000000042"
	}
	return fmt.Sprintf("%s%04d", c.id[:8], i)
}
func (c *town) card(i int) schemas.CardID { return schemas.CardID(fmt.Sprintf("%s%08X", c.id, i)) }

// sell is a row of a terminal of c about a card of another city, without its entry.
func (c *town) sell(of *town, i int, n uint32, kind ledger.SaleKind, amount schemas.Fen, undoes string, moment time.Time) ledger.Sale {
	c.orders++
	day := ledger.Calendar{Zone: shanghai}.DayOf(moment)
	s := ledger.Sale{Channel: "counter", Order: fmt.Sprintf("O%06d", c.orders), Kind: kind, Utility: schemas.Water, MeterNumber: of.meter(i),
		Card: of.card(i), Purchase: purchase(n), Amount: amount, Undoes: undoes, Day: day, At: moment}
	c.sales[day] = append(c.sales[day], s)
	return s
}

// write is the entry that proves s.
func (c *town) write(t *testing.T, of *town, s ledger.Sale) {
	t.Helper()
	event := schemas.CardSale
	if s.Kind != ledger.Purchase {
		event = schemas.CardClear
	}
	must(t, c.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{{Event: event, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: s.MeterNumber,
		Issuer: of.id, Card: s.Card, Purchase: s.Purchase, Amount: fen(int64(s.Amount)), Terminal: "t1", TakenAt: s.At}}))
}

// load is what the meter of c says that it took.
func (c *town) load(t *testing.T, i int, n uint32, amount int64, moment time.Time) {
	t.Helper()
	must(t, c.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{{Event: schemas.CardLoad, Source: schemas.FromModbus, Utility: schemas.Water,
		Meter: schemas.MeterID(fmt.Sprintf("W-%s-%d", c.id, i)), Amount: fen(amount), Purchase: purchase(n), TakenAt: moment, RecordedAt: moment}}))
}

// importDay takes the rows of a day into the books.
func (c *town) importDay(t testing.TB, day ledger.Day) {
	t.Helper()
	if len(c.sales[day]) == 0 {
		return
	}
	c.number++
	f := &ledger.File{FileID: ledger.FileID{Content: ledger.SalesFile, Utility: schemas.Water, Channel: "counter", Day: day, Number: c.number}, Name: "f", Mapping: "own 1",
		Raw: fmt.Appendf(nil, "%s %d", day, c.number), By: "zhang", At: at(day, 30), Sales: c.sales[day]}
	f.Digest = ledger.DigestOf(f.Raw)
	_, err := c.StoreFile(t.Context(), f)
	must(t, err)
	delete(c.sales, day)
}

func (c *town) make(t *testing.T, upto ledger.Day) ClearingMade {
	t.Helper()
	made, err := c.MakeClearing(t.Context(), c.id, upto, "li")
	must(t, err)
	return made
}

func (c *town) bytes(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := c.ClearingBytes(t.Context(), name)
	must(t, err)
	return raw
}

// receive takes what from made, returns our answers to it.
func (c *town) receive(t *testing.T, from *town, f ClearingFile) ClearingFile {
	t.Helper()
	got, repeated, err := c.ReceiveClearing(t.Context(), c.id, f.FileName(), from.bytes(t, f.FileName()), "zhang")
	must(t, err)
	if repeated || got.Answer == nil || got.Direction != Received || got.Digest != f.Digest || got.Sums != f.Sums {
		t.Errorf("%s received as %+v, %v", f.FileName(), got, repeated)
	}
	return got
}

// settle brings a file over and its answer back.
func (c *town) settle(t *testing.T, to *town, f ClearingFile) ClearingFile {
	t.Helper()
	name := to.receive(t, c, f).AnswerName()
	got, repeated, err := c.ReceiveClearingAnswer(t.Context(), c.id, name, to.bytes(t, name), "zhang")
	must(t, err)
	if repeated || got.Answer == nil || got.Answer.Accepted.Count+got.Answer.Refused.Count != f.Sums.Count {
		t.Errorf("%s settled as %+v, %v", name, got, repeated)
	}
	return got
}

func (c *town) net(t *testing.T, from, to ledger.Day) clearing.Netting {
	t.Helper()
	n, err := c.NetClearing(t.Context(), c.id, from, to)
	must(t, err)
	must(t, n.Foot())
	return n
}

// TestClearingMonth lets two cities sell on each other's cards for a month, with
// refunds, late entries and details that must be refused, and wants both to come to
// the same sums, which the test has counted by itself.
func TestClearingMonth(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		a, b := newTown(t, dsn, hangzhou, 30), newTown(t, another(t, dsn), nanjing, 30)
		chance := rand.New(rand.NewPCG(7, 7))
		owed := make(map[schemas.IssuerID]schemas.Fen)
		var late []func()
		last := make(map[string]uint32)
		for day := start + 1; day <= start+28; day++ {
			for _, run := range late {
				run()
			}
			late = nil
			for _, way := range [][2]*town{{a, b}, {b, a}} {
				seller, issuer := way[0], way[1]
				for i := range 30 {
					if chance.IntN(6) > 0 {
						continue
					}
					n := last[issuer.meter(i)+string(issuer.id)] + 1
					amount := schemas.Fen(1000 + chance.IntN(9000))
					s := seller.sell(issuer, i, n, ledger.Purchase, amount, "", at(day, 8+chance.IntN(6)))
					if chance.IntN(5) == 0 { // the terminal was offline
						late = append(late, func() { seller.write(t, issuer, s) })
					} else {
						seller.write(t, issuer, s)
						if chance.IntN(4) == 0 { // taken off again the same day
							r := seller.sell(issuer, i, n, ledger.Refund, amount, s.Order, s.At.Add(time.Hour))
							seller.write(t, issuer, r)
							continue
						}
					}
					owed[issuer.id] += amount
					last[issuer.meter(i)+string(issuer.id)] = n
				}
			}
			for _, way := range [][2]*town{{a, b}, {b, a}} {
				way[0].importDay(t, day)
				for _, f := range way[0].make(t, day).Files {
					if got := way[0].settle(t, way[1], f); got.Answer.Refused.Count != 0 {
						t.Errorf("%s: %s", f.FileName(), way[0].bytes(t, f.AnswerName()))
					}
				}
			}
		}
		for _, run := range late {
			run()
		}
		for _, way := range [][2]*town{{a, b}, {b, a}} {
			made := way[0].make(t, start+28)
			if len(made.Held) != 0 {
				t.Errorf("%s holds %d, such as %+v", way[0].id, len(made.Held), made.Held[0])
			}
			for _, f := range made.Files {
				way[0].settle(t, way[1], f)
			}
			if again := way[0].make(t, start+28); len(again.Files) != 0 {
				t.Errorf("%d files are made again", len(again.Files))
			}
		}
		x, y := a.net(t, start, start+40), b.net(t, start, start+40)
		if x.Owe != owed[nanjing] || x.Owed != owed[hangzhou] || x.Owe != y.Owed || x.Owed != y.Owe || x.Balance != -y.Balance || x.Owe == 0 || x.Owed == 0 {
			t.Errorf("%s owes %s and is owed %s, %s owes %s and is owed %s; sold %v", a.id, x.Owe, x.Owed, b.id, y.Owe, y.Owed, owed)
		}
		if x.Positions[0].Ours != y.Positions[0].Theirs || x.Positions[0].Theirs != y.Positions[0].Ours || x.Positions[0].Ours.Pending.Count != 0 {
			t.Errorf("the two sides of a position: %+v, %+v", x.Positions[0], y.Positions[0])
		}
		if x.Positions[0].Ours.Accepted.Returned == 0 {
			t.Error("no refund was cleared")
		}
		checkImported(t, b, x.Positions[0].Ours)
		checkNumbers(t, a)
	})
}

// checkImported wants the details and the accepted ones in the books as sales and
// payments of the channel.
func checkImported(t *testing.T, c *town, d clearing.Direction) {
	t.Helper()
	var sales, payments, sold, paid int64
	must(t, c.read.NewRaw("SELECT COUNT(*), SUM(CASE WHEN kind = 'purchase' THEN amount ELSE -amount END) FROM sales WHERE channel LIKE 'clearing-%'").Scan(t.Context(), &sales, &sold))
	must(t, c.read.NewRaw("SELECT COUNT(*), SUM(CASE WHEN refund = 0 THEN amount ELSE -amount END) FROM payments WHERE channel LIKE 'clearing-%'").Scan(t.Context(), &payments, &paid))
	if int(sales) != d.Sent.Count || int(payments) != d.Accepted.Count || schemas.Fen(sold) != d.Sent.Net() || schemas.Fen(paid) != d.Accepted.Net() {
		t.Errorf("%d sales of %d, %d payments of %d; cleared %+v", sales, sold, payments, paid, d)
	}
}

// checkNumbers wants the numbers of each day without gaps, and further files for
// what came late.
func checkNumbers(t *testing.T, c *town) {
	t.Helper()
	list, total, err := c.ClearingFiles(t.Context(), ClearingFilter{Direction: Sent, Page: Page{Limit: 1000}})
	must(t, err)
	highest, count := make(map[ledger.Day]int), make(map[ledger.Day]int)
	further := false
	for _, f := range list {
		count[f.Day]++
		highest[f.Day] = max(highest[f.Day], f.Number)
		further = further || f.Number > 1
	}
	for day, n := range highest {
		if count[day] != n {
			t.Errorf("%s: %d files, the last has number %d", day, count[day], n)
		}
	}
	if !further || int(total) != len(list) {
		t.Errorf("%d of %d files, further ones %v", len(list), total, further)
	}
}

// TestClearingSpots is what the books of the seller leave alone, and what they hold.
func TestClearingSpots(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		a, b := newTown(t, dsn, hangzhou, 3), newTown(t, another(t, dsn), nanjing, 3)
		day := start + 1
		// The same number, count and amount on a card of our own: it proves nothing.
		own := a.sell(a, 0, 1, ledger.Purchase, 5000, "", at(day, 8))
		a.write(t, a, own)
		foreign := a.sell(b, 0, 1, ledger.Purchase, 5000, "", at(day, 9))
		a.write(t, b, foreign)
		a.sell(b, 1, 1, ledger.Purchase, 700, "", at(day, 10)) // its entry does not come
		nameless := a.sell(b, 2, 1, ledger.Purchase, 800, "", at(day, 11))
		a.write(t, b, nameless)
		a.sales[day][3].MeterNumber = ""
		tomorrow := a.sell(b, 2, 2, ledger.Purchase, 900, "", at(day+1, 9))
		a.write(t, b, tomorrow)
		a.importDay(t, day)
		a.importDay(t, day+1)
		made := a.make(t, day)
		if len(made.Files) != 1 || made.Files[0].Sums != (clearing.Sums{Count: 1, Taken: 5000}) || made.Files[0].By != "li" {
			t.Fatalf("made %+v", made.Files)
		}
		if text := string(a.bytes(t, made.Files[0].FileName())); !strings.Contains(text, string(b.card(0))) {
			t.Errorf("file\n%s", text)
		}
		var held []string
		for _, h := range made.Held {
			if h.Sale != nil {
				held = append(held, "sale "+h.Sale.Order)
			} else {
				held = append(held, "entry "+string(h.Entry.Card))
			}
		}
		slices.Sort(held)
		// The card with index 1 was in no entry: nobody knows yet that it is of another
		// city.
		if want := []string{"entry " + string(b.card(2)), "sale O000004"}; !slices.Equal(held, want) {
			t.Errorf("held %v, want %v", held, want)
		}
		a.write(t, b, ledger.Sale{Kind: ledger.Purchase, MeterNumber: b.meter(1), Card: b.card(1), Purchase: purchase(1), Amount: 700, At: at(day, 10)})
		made = a.make(t, day+1)
		if len(made.Files) != 2 || made.Files[0].Number != 2 || made.Files[0].Day != day || made.Files[1].Number != 1 || made.Files[1].Day != day+1 {
			t.Fatalf("made %+v", made.Files)
		}
		// The register comes to know a meter of that number: its entry gets another
		// number in the books, and is not sent again.
		must(t, a.StoreRegister(t.Context(), []ledger.Place{{Meter: "W-new", Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "flat", Readout: ledger.ByCard,
			Installations: []ledger.Installation{{From: at(start-9, 0), MeterNumber: b.meter(1)}}}}))
		a.sell(b, 1, 1, ledger.Purchase, 700, "", at(day+1, 10))
		a.importDay(t, day+1)
		made = a.make(t, day+1)
		if len(made.Files) != 0 {
			t.Errorf("an entry proves a second row: %+v", made)
		}
	})
}

// TestClearingRefusals are the reasons of the answer, one case each.
func TestClearingRefusals(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		a, b := newTown(t, dsn, hangzhou, 1), newTown(t, another(t, dsn), nanjing, 30)
		day := start + 10
		sold := func(i int, n uint32, amount schemas.Fen, hour int) ledger.Sale {
			return a.sell(b, i, n, ledger.Purchase, amount, "", at(day, hour))
		}
		want := make(map[string]string)
		expect := func(s ledger.Sale, reason string) { want["counter:"+s.Order] = reason }
		spoil := func(change func(*ledger.Sale)) { change(&a.sales[day][len(a.sales[day])-1]) }

		expect(sold(1, 1, 100, 8), "")
		unknown := sold(2, 1, 100, 8)
		spoil(func(s *ledger.Sale) { s.MeterNumber = "999999999999" })
		expect(unknown, noMeter)
		expect(sold(3, 1, 100, 8), noCard)
		spoil(func(s *ledger.Sale) { s.Card = "FFFFFFFFFFFFFFFF" })
		expect(sold(4, 1, 100, 8), otherMeter)
		spoil(func(s *ledger.Sale) { s.Card = b.card(5) })
		expect(sold(6, 1, 100, 8), "the card was issued by "+string(shaoxing))
		must(t, b.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{{Event: schemas.CardIssue, Source: schemas.FromReader, Utility: schemas.Water,
			MeterNumber: b.meter(6), Issuer: shaoxing, Card: b.card(6), TakenAt: at(start, 9)}}))
		expect(sold(7, 1, 100, 8), loadedBefore)
		b.load(t, 7, 2, 100, at(day-3, 8))
		expect(sold(8, 1, 100, 8), "") // loaded since
		b.load(t, 8, 1, 100, at(day, 9))
		expect(sold(9, 1, 100, 8), otherLoad)
		b.load(t, 9, 1, 101, at(day, 9))
		expect(sold(10, 1, 100, 8), soldBefore)
		own := b.sell(b, 10, 1, ledger.Purchase, 100, "", at(day-1, 8))
		own.Day = day - 1
		b.importDay(t, day-1)
		expect(sold(11, 1, 100, 8), "")
		expect(sold(11, 1, 100, 9), soldBefore)
		// A meter takes no card of others: what it loaded was sold on a card of ours.
		expect(sold(12, 1, 100, 8), "")
		spoil(func(s *ledger.Sale) { s.Card = "EEEEEEEEEEEEEEEE" })
		b.load(t, 12, 1, 100, at(day, 9))

		back := func(s ledger.Sale, hour int) ledger.Sale {
			return a.sell(b, 0, s.Purchase.Number, ledger.Refund, s.Amount, s.Order, at(day, hour))
		}
		of := func(s ledger.Sale) {
			spoil(func(r *ledger.Sale) { r.MeterNumber, r.Card = s.MeterNumber, s.Card })
		}
		s := sold(13, 1, 100, 8)
		expect(s, "")
		expect(back(s, 9), "")
		of(s)
		expect(back(s, 10), givenBack)
		of(s)
		expect(sold(13, 1, 70, 11), "") // sold again, and loaded
		b.load(t, 13, 1, 70, at(day, 12))
		s = sold(14, 1, 100, 8)
		expect(s, "")
		b.load(t, 14, 1, 100, at(day, 9))
		expect(back(s, 10), loadedSale)
		of(s)
		expect(back(unknown, 9), noMeter)
		of(ledger.Sale{MeterNumber: "999999999999", Card: b.card(2)})
		s = sold(15, 1, 100, 8)
		expect(s, "")
		expect(back(s, 9), otherSale)
		of(s)
		spoil(func(r *ledger.Sale) { r.Amount = 99 })
		lost := s
		lost.Order = "LOST"
		expect(back(lost, 9), noPurchase)
		of(s)
		s = sold(16, 1, 100, 8)
		spoil(func(s *ledger.Sale) { s.Card = "FFFFFFFFFFFFFFFF" })
		expect(s, noCard)
		expect(back(s, 9), refusedSale)
		of(s)
		volume := ledger.Place{Meter: "W-V", Utility: schemas.Water, Purse: schemas.CreditLitre, Plan: "flat", Readout: ledger.ByCard,
			Installations: []ledger.Installation{{From: at(start, 0), To: at(day+5, 0), MeterNumber: "000000000555"}}}
		must(t, b.StoreRegister(t.Context(), []ledger.Place{volume}))
		expect(sold(17, 1, 100, 8), noVolume)
		spoil(func(s *ledger.Sale) { s.MeterNumber = "000000000555" })
		for number, i := range map[string]ledger.Installation{"000000000556": {From: at(start, 0), To: at(day-3, 0)}, "000000000557": {From: at(day+3, 0)}} {
			i.MeterNumber = number
			volume.Meter, volume.Purse, volume.Installations = schemas.MeterID("W-"+number), schemas.CreditFen, []ledger.Installation{i}
			must(t, b.StoreRegister(t.Context(), []ledger.Place{volume}))
		}
		expect(sold(18, 1, 100, 8), "the meter was removed on "+(day-4).String()) // 16:00 UTC of the day before
		spoil(func(s *ledger.Sale) { s.MeterNumber = "000000000556" })
		expect(sold(19, 1, 100, 8), "the meter stands only since "+(day+2).String())
		spoil(func(s *ledger.Sale) { s.MeterNumber = "000000000557" })

		for _, s := range a.sales[day] {
			a.write(t, b, s)
		}
		a.importDay(t, day)
		made := a.make(t, day)
		if len(made.Files) != 1 || len(made.Held) != 0 || made.Files[0].Sums.Count != len(want) {
			t.Fatalf("made %+v, held %d, want %d details", made.Files, len(made.Held), len(want))
		}
		name := a.settle(t, b, made.Files[0]).AnswerName()
		answer, err := clearing.ReadAnswer(t.Context(), name, bytes.NewReader(b.bytes(t, name)))
		must(t, err)
		for _, r := range answer.Results {
			if reason, ok := want[r.Order]; !ok || reason != r.Reason {
				t.Errorf("%s: %q, want %q", r.Order, r.Reason, want[r.Order])
			}
		}
		// What was refused keeps no number from being sold, and a refund may follow in a
		// later file.
		first := a.net(t, day, day).Owe
		s = ledger.Sale{Order: strings.TrimPrefix(answer.Results[0].Order, "counter:"), Purchase: purchase(1), Amount: 100}
		r := a.sell(b, 1, 1, ledger.Refund, 100, s.Order, at(day+1, 9))
		a.write(t, b, r)
		again := a.sell(b, 3, 1, ledger.Purchase, 300, "", at(day+1, 9))
		a.write(t, b, again)
		a.importDay(t, day+1)
		if got := a.settle(t, b, a.make(t, day+1).Files[0]); got.Answer.Refused.Count != 0 {
			t.Errorf("%s", b.bytes(t, got.AnswerName()))
		}
		if x, y := a.net(t, day, day+1), b.net(t, day, day+1); x.Owe != y.Owed || x.Owe != first+200 {
			t.Errorf("owe %s, owed %s, before %s", x.Owe, y.Owed, first)
		}
	})
}
