package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/pcscd"
	"citygrid/schemas"
	"citygrid/simulators/card"
	"citygrid/simulators/prepaid"
)

// What stands on the cards of these tests.
const (
	counterCustomer = "000000001122"
	counterMeter    = "000000000789"
)

// counterTime is when the counter's day begins: 10:00 in China.
var counterTime = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

// till is a counter with its reader.
type till struct {
	t    *testing.T
	d    *pcscd.Daemon
	dir  string
	now  time.Time
	out  bytes.Buffer
	said bytes.Buffer
}

// run runs a command of the counter, a minute after the last.
func (l *till) run(args ...string) error {
	l.now = l.now.Add(time.Minute)
	l.out.Reset()
	l.said.Reset()
	cmd := newCounter(func() time.Time { return l.now })
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&l.out)
	cmd.SetErr(&l.said)
	cmd.SetArgs(append(args, "--state", l.dir))
	return cmd.ExecuteContext(l.t.Context())
}

func (l *till) must(args ...string) {
	l.t.Helper()
	if err := l.run(args...); err != nil {
		l.t.Fatalf("counter %q: %v\n%s", args, err, &l.said)
	}
}

// at runs a command with a card in the reader.
func (l *till) at(lying pcscd.Serve, args ...string) error {
	l.t.Helper()
	if err := l.d.Insert(0, lying); err != nil {
		l.t.Fatal(err)
	}
	// The daemon notices in its own time what comes and goes.
	client, err := pcsc.Open(l.t.Context(), pcsc.Options{Socket: l.d.Socket()})
	must(l.t, err)
	reader := client.Reader(pcscd.Reader(0))
	in, err := reader.WaitCard(l.t.Context())
	must(l.t, err)
	must(l.t, in.Close())
	err = l.run(append(args, "--socket", l.d.Socket(), "--reader", "00 00")...)
	must(l.t, l.d.Remove(0))
	must(l.t, reader.WaitRemoval(l.t.Context()))
	return err
}

// order is a command for the customer, with more arguments.
func order(what string, args ...string) []string {
	return append([]string{what, "--utility", "water", "--meter-number", counterMeter, "--customer", counterCustomer}, args...)
}

func (l *till) wants(pattern string, in *bytes.Buffer) {
	l.t.Helper()
	if !regexp.MustCompile(pattern).Match(in.Bytes()) {
		l.t.Errorf("want %q in\n%s", pattern, in)
	}
}

// serving returns a card as what lies in a virtual reader.
func serving(c *card.Card) pcscd.Serve {
	return func(ctx context.Context, conn net.Conn) error { return card.Serve(ctx, conn, c) }
}

// pulled is a card that is pulled out after it has carried out so many writes and
// before it answers.
func pulled(c *card.Card, writes int) pcscd.Serve {
	return func(ctx context.Context, conn net.Conn) error {
		err := card.Serve(ctx, &pulling{Conn: conn, left: writes}, c)
		if errors.Is(err, errPulled) {
			return nil
		}
		return err
	}
}

var errPulled = errors.New("pulled out")

type pulling struct {
	net.Conn
	left  int
	armed bool
}

func (p *pulling) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if bytes.Contains(b[:n], []byte{0x04, 0xD6}) {
		p.left--
		p.armed = p.left == 0
	}
	return n, err
}

func (p *pulling) Write(b []byte) (int, error) {
	if p.armed {
		p.Conn.Close()
		return 0, errPulled
	}
	return p.Conn.Write(b)
}

// blankCard is a card as personalisation made it for the customer.
func blankCard(t *testing.T, n uint32) *card.Card {
	t.Helper()
	c, err := card.New(card.Options{Serial: card.Serial(n), Customer: counterCustomer, Applications: []schemas.Medium{schemas.Water},
		MeterNumbers: map[schemas.Medium]string{schemas.Water: counterMeter}, Random: bytes.NewReader(bytes.Repeat([]byte{0x5A, 0xC3, 0x11}, 1<<16))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTill(t *testing.T) *till {
	l := &till{t: t, d: pcscd.Need(t), dir: filepath.Join(t.TempDir(), "counter"), now: counterTime}
	l.must("setup", "--terminal", "counter-1", "--issuer", string(card.SimulatorIssuer), "--sam", "test")
	l.wants("TEST SECURITY MODULE", &l.out)
	return l
}

// TestCounter is the life of purchases through the real PC/SC stack, from the
// clerk to a reconciliation that foots: issued, sold and pulled out, resumed,
// loaded, sold again and taken back, the lost card replaced; the day's file and the
// entries in books, without a difference.
func TestCounter(t *testing.T) {
	l, c := newTill(t), blankCard(t, 1)
	meter, err := prepaid.New(prepaid.Config{Utility: schemas.Water, Number: counterMeter, Customer: counterCustomer, Unit: schemas.CreditFen, Start: counterTime})
	if err != nil {
		t.Fatal(err)
	}
	load := func(c *card.Card) {
		t.Helper()
		l.now = l.now.Add(time.Minute)
		if o := meter.Insert(t.Context(), c, card.MeterSAM(), l.now); !o.Loaded || !o.Returned {
			t.Fatalf("the meter did not load: fault %d, %v", o.Fault, o.Err)
		}
	}
	if err := l.at(serving(c), order("issue")...); err != nil {
		t.Fatal(err)
	}
	l.wants(`^issue counter-1-20261120-0001: card 0000000000000001, water, meter 000000000789, customer 000000001122, purchase 0: written and read back\n$`, &l.out)

	err = l.at(pulled(c, 1), order("sell", "--amount", "50.01")...)
	if cli.ExitCode(err) != 1 || l.out.Len() > 0 {
		t.Fatalf("pulled out: code %d, %v, printed %s", cli.ExitCode(err), err, &l.out)
	}
	l.wants(`(?m)^doubtful: Put the same card in again .*Neither sell again nor give money back`, &l.said)
	unfinished := `(?m)^UNFINISHED: sale counter-1-20261120-0002 \(purchase 1, 5001 fen\) on card 0000000000000001 .*run: citygrid counter resume --state`
	l.must("status")
	l.wants(unfinished, &l.out)
	if err := l.at(serving(c), order("sell", "--amount", "50.01")...); !errors.Is(err, cardslot.ErrPending) {
		t.Errorf("sold beside an unfinished sale: %v", err)
	}
	l.wants(unfinished, &l.said)
	if err := l.at(serving(c), "resume"); err != nil {
		t.Fatal(err)
	}
	l.wants(`^sale counter-1-20261120-0002: .*purchase 1 of 50\.01 yuan: written and read back\n$`, &l.out)
	if err := l.at(serving(c), "resume"); err != nil {
		t.Fatal(err)
	}
	l.wants(`^card 0000000000000001: nothing is unfinished\n$`, &l.out)

	load(c)
	if err := l.at(serving(c), order("sell", "--amount", "20", "--order", "mine", "--operator", "zhang", "--purchase", "2")...); err != nil {
		t.Fatal(err)
	}
	if err := l.at(serving(c), order("refund", "--undoes", "mine")...); err != nil {
		t.Fatal(err)
	}
	l.wants(`^clear .* purchase 2 of 20\.00 yuan: written and read back\n$`, &l.out)
	if err := l.at(serving(c), order("sell", "--amount", "20", "--order", "mine")...); err == nil || !strings.Contains(err.Error(), "order mine has been used") {
		t.Errorf("an order number twice: %v", err)
	}
	if err := l.at(serving(c), order("sell", "--amount", "30", "--purchase", "2")...); err != nil {
		t.Fatal(err)
	}
	second := blankCard(t, 2)
	if err := l.at(serving(second), order("replace", "--replaces", string(c.ID()), "--purchase", "2", "--amount", "30")...); err != nil {
		t.Fatal(err)
	}
	load(second)
	if err := l.at(serving(second), "resume"); err != nil { // reads what the meter wrote back
		t.Fatal(err)
	}
	l.must("close-day")
	file := strings.TrimSpace(l.out.String())
	if filepath.Base(file) != "2026-11-20-counter-1-water-1.csv" {
		t.Fatalf("closed %q", file)
	}
	l.foots(file, meter)
}

// foots takes the file and the entries into books, with the cash of the same
// orders, and reconciles a month on.
func (l *till) foots(file string, meter *prepaid.Meter) {
	t, ctx := l.t, l.t.Context()
	zone := time.FixedZone("CST", 8*3600)
	rules := reconcile.DefaultRules(ledger.Calendar{Zone: zone})
	b, err := books.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "books.db"), books.Options{Rules: rules, Now: func() time.Time { return l.now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	day := rules.Calendar.DayOf(counterTime)
	must(t, b.StoreTariffs(ctx, "tariffs", []byte(smallTariff), "zhang"))
	must(t, b.StoreRegister(ctx, []ledger.Place{{Meter: "W-1", Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "home", Readout: ledger.ByCard,
		Installations: []ledger.Installation{{From: rules.Calendar.Start(day), MeterNumber: counterMeter, Customer: counterCustomer}}}}))
	m, err := intake.Named("citygrid")
	must(t, err)
	for _, text := range []string{read(t, file), cash(read(t, file))} {
		done, err := intake.Import(ctx, b, strings.NewReader(text), m, intake.Options{Name: file, Zone: zone, Now: func() time.Time { return l.now }, By: "zhang"})
		if err != nil || done.Unresolved != 0 {
			t.Fatalf("%+v, %v in\n%s", done, err, text)
		}
	}
	taken, err := cardslot.Outbox{Dir: filepath.Join(l.dir, "outbox")}.Take(ctx, func(ctx context.Context, list []schemas.CardEntry) error {
		return b.StoreCards(ctx, "edge-1", list)
	})
	if err != nil || taken < 8 { // two cards issued, three sales, one taken off, and what the meter wrote back
		t.Fatalf("%d entries, %v", taken, err)
	}
	run, err := b.Run(ctx, schemas.Water, reconcile.Span{From: day, To: day + 5}, "zhang", nil)
	must(t, err)
	list, _, err := b.Differences(ctx, books.DifferenceFilter{Utility: schemas.Water})
	must(t, err)
	for _, d := range list {
		t.Errorf("difference %s %s: %s %s: %s", d.Class, d.Key, d.Shown, d.Expected, d.Note)
	}
	must(t, run.Figures.Foot())
	p := run.Figures.Purchases
	if loaded := meter.State().Bought; loaded != 80_01 || int64(p.Loaded.Fen) != loaded || run.Figures.Refused != 0 || *run.Unresolved != (books.Unresolved{}) {
		t.Errorf("the meter has loaded %d, the books %+v; %d refused, %+v wait", loaded, p, run.Figures.Refused, run.Unresolved)
	}
}

// cash is the settlement of the money in the drawer, from the rows of a file of
// sales.
func cash(sales string) string {
	var out strings.Builder
	out.WriteString("#citygrid,1,payments,water,counter-1,2026-11-20,1\norder,kind,amount,at\n")
	rows := 0
	for _, line := range strings.Split(strings.TrimSpace(sales), "\n")[2:] {
		f := strings.Split(line, ",")
		if f[0] == "#total" {
			out.WriteString(strings.Join([]string{f[0], f[1], f[2], f[3]}, ",") + "\n")
			break
		}
		kind := map[string]string{"purchase": "payment", "reversal": "refund"}[f[1]]
		out.WriteString(strings.Join([]string{f[0], kind, f[6], f[9]}, ",") + "\n")
		rows++
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// TestCounterDay closes days without a card: a day is closed once, what comes for
// it later begins another file, and a crash in between changes nothing.
func TestCounterDay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counter")
	now := func() time.Time { return counterTime }
	must(t, setUpCounter(dir, settings{Terminal: "counter-1", Issuer: card.SimulatorIssuer, Water: schemas.CreditLitre, Gas: schemas.CreditFen, SAM: testSAM}))
	if err := setUpCounter(dir, settings{}); err == nil {
		t.Error("set up twice")
	}
	sold := func(c *counter, n int, app cardslot.Application, unit schemas.CreditUnit, at time.Time) string {
		t.Helper()
		o, err := c.begin(ticket{Kind: ledger.Purchase, Money: 12_34, Operator: "zhang"}, at)
		must(t, err)
		must(t, c.journal.Begin(cardslot.Record{ID: o.Order, Kind: cardslot.Sale, Application: app, Issuer: card.SimulatorIssuer, Card: card.Serial(uint32(n)),
			Customer: counterCustomer, MeterNumber: counterMeter, Purchase: uint32(n), Amount: schemas.Credit{Value: 5000, Unit: unit}, Terminal: "counter-1",
			Source: schemas.FromReader, At: at}))
		must(t, c.journal.Commit(o.Order))
		return o.Order
	}
	c, err := openCounter(dir, now)
	must(t, err)
	first := sold(c, 1, cardslot.WaterApplication, schemas.CreditLitre, counterTime)
	sold(c, 2, cardslot.GasApplication, schemas.CreditFen, counterTime)
	must(t, c.close()) // the process ends before the journal is taken over
	if _, err := openCounter(filepath.Join(dir, "none"), now); !errors.Is(err, errNoCounter) {
		t.Error(err)
	}
	c, err = openCounter(dir, now)
	must(t, err)
	if n := len(c.journal.Settled()); n != 0 || len(c.desk.Tickets) != 0 || !c.knows(first) {
		t.Errorf("%d settled, %+v", n, c.desk)
	}
	c.desk.Open[0].Closing = true // the process ends while the file is written
	must(t, errors.Join(c.save(), c.close()))
	c, err = openCounter(dir, now)
	must(t, err)
	water := filepath.Join(dir, "settlement", "2026-11-20-counter-1-water-1.csv")
	before := read(t, water)
	if !strings.Contains(before, first+",purchase,"+counterMeter+","+counterCustomer+",0000000000000001,1,12.34,5000,,2026-11-20T10:00:00.000+08:00,zhang,counter-1\n#total,1,12.34,0.00,") {
		t.Errorf("the file is\n%s", before)
	}
	sold(c, 3, cardslot.WaterApplication, schemas.CreditLitre, counterTime.Add(time.Hour))
	sold(c, 4, cardslot.WaterApplication, schemas.CreditLitre, counterTime.Add(24*time.Hour))
	must(t, c.settle())
	paths, err := c.closeDays("2026-11-20")
	must(t, err)
	for n, want := range []string{"2026-11-20-counter-1-gas-1.csv", "2026-11-20-counter-1-water-2.csv"} {
		if n >= len(paths) || filepath.Base(paths[n]) != want {
			t.Fatalf("closed %q, want %s", paths, want)
		}
	}
	if again, err := c.closeDays("2026-11-20"); err != nil || len(again) != 0 || read(t, water) != before || !c.knows(first) {
		t.Errorf("closed again: %q, %v", again, err)
	}
	m, err := intake.Named("citygrid")
	must(t, err)
	for _, p := range append(paths, water) {
		o := intake.Options{Name: p, Zone: time.UTC, Now: now, By: "zhang"}
		if f, err := intake.Read(t.Context(), strings.NewReader(read(t, p)), m, o); err != nil || len(f.Sales) != 1 || f.Sales[0].Purchase.Number == 0 {
			t.Errorf("%s: %+v, %v", p, f, err)
		}
	}
	if len(c.desk.Open) != 1 || c.desk.Open[0].Day != "2026-11-21" {
		t.Errorf("open %+v", c.desk.Open)
	}
	must(t, c.close())
}

// TestCounterUsage needs no pcscd.
func TestCounterUsage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counter")
	must(t, setUpCounter(dir, settings{Terminal: "counter-1", Issuer: card.SimulatorIssuer, Water: schemas.CreditFen, Gas: schemas.CreditLitre, SAM: testSAM}))
	none := filepath.Join(t.TempDir(), "none")
	setup := func(sam string) []string {
		return []string{"setup", "--state", none, "--terminal", "counter-1", "--issuer", "11010001", "--sam", sam}
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{setup("city"), 2, "Only the simulator's TEST security module"},
		{append(setup("test"), "--terminal", "a,b"), 2, "--terminal"},
		{append(setup("test"), "--water", "m3"), 2, "want fen or L"},
		{append(setup("test"), "--issuer", "7"), 2, "--issuer"},
		{order("sell", "--state", none, "--amount", "5"), 2, "set it up first"},
		{order("sell", "--state", dir), 2, "amount"},
		{order("sell", "--state", dir, "--amount", "50.001"), 2, "more than two decimals"},
		{order("sell", "--state", dir, "--amount", "0"), 2, "more than 0"},
		{order("sell", "--state", dir, "--amount", "-5"), 2, "more than 0"},
		{order("sell", "--state", dir, "--amount", "5", "--order", "#1"), 2, "--order"},
		{order("sell", "--state", dir, "--amount", "5", "--card", "12"), 2, "--card"},
		{order("sell", "--state", dir, "--amount", "5", "--utility", "heat"), 2, "--utility"},
		{order("sell", "--state", dir, "--amount", "5", "--socket", none), 1, "pcscd"},
		{[]string{"close-day", "--state", dir, "--day", "today"}, 2, "--day"},
		{[]string{"close-day", "--state", dir}, 0, ""},
	} {
		cmd := newCounter(func() time.Time { return counterTime })
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		cmd.SetArgs(tt.args)
		err := cmd.ExecuteContext(t.Context())
		if cli.ExitCode(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("counter %q: code %d, %v; want %d, %q", tt.args, cli.ExitCode(err), err, tt.code, tt.want)
		}
	}
}

// TestCounterRefusesRealCards: the test module touches no card but the simulator's.
func TestCounterRefusesRealCards(t *testing.T) {
	sam, err := samOf(testSAM)
	must(t, err)
	if _, err := sam.Cryptogram(t.Context(), "1101000100000001", uint16(cardslot.WaterApplication), make([]byte, 8)); err == nil || !strings.Contains(err.Error(), "not a simulated card") {
		t.Errorf("%v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCounterIsReadUnderItsLock: a program that waits for another one's end must not
// remember the counter as it was before, and write that back.
func TestCounterIsReadUnderItsLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counter")
	must(t, setUpCounter(dir, settings{Terminal: "counter-1", Issuer: card.SimulatorIssuer, Water: schemas.CreditFen, Gas: schemas.CreditFen, SAM: testSAM}))
	c, err := openCounter(dir, time.Now)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, deskName), []byte("half"), 0o600))
	if _, err := openCounter(dir, time.Now); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("opened beside another program: %v", err)
	}
	must(t, c.close())
	if _, err := openCounter(dir, time.Now); err == nil || errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("a damaged counter: %v", err)
	}
	if unlock, err := durable.Lock(filepath.Join(dir, journalName) + ".lock"); err != nil {
		t.Errorf("the lock is kept: %v", err)
	} else {
		must(t, unlock())
	}
}

// TestCounterWritesOverNoFile: a sale that is finished months later, when the
// counter has forgotten the file of its day, begins a further file.
func TestCounterWritesOverNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counter")
	must(t, setUpCounter(dir, settings{Terminal: "counter-1", Issuer: card.SimulatorIssuer, Water: schemas.CreditFen, Gas: schemas.CreditFen, SAM: testSAM}))
	c, err := openCounter(dir, time.Now)
	must(t, err)
	first := c.takings("2026-11-20", schemas.Water)
	first.Rows = []vendingRow{{Order: "o-1", Kind: ledger.Purchase}}
	_, err = c.closeDays("2026-11-20")
	must(t, err)
	c.desk.Closed = nil
	if again := c.takings("2026-11-20", schemas.Water); again.Number != 2 {
		t.Errorf("number %d", again.Number)
	}
	must(t, c.close())
}
