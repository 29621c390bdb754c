package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/internal/cli"
	"citygrid/internal/pcscd"
	"citygrid/schemas"
	"citygrid/schemas/seal"
	"citygrid/simulators/card"
	"citygrid/simulators/prepaid"
)

// What stands on the cards of these tests.
const (
	testCustomer = "000000001122"
	testMeter    = "000000000789"
)

// aCard makes a customer's card for water and power.
func aCard(t testing.TB) *card.Card {
	t.Helper()
	c, err := card.New(card.Options{
		Serial: card.Serial(1), Customer: testCustomer, Applications: []schemas.Medium{schemas.Power, schemas.Water},
		MeterNumbers: map[schemas.Medium]string{schemas.Power: testMeter, schemas.Water: testMeter},
		Random:       bytes.NewReader(bytes.Repeat([]byte{0x5A, 0xC3, 0x11}, 1<<16)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lying returns the card as what lies in a virtual reader.
func lying(c *card.Card) pcscd.Serve {
	return func(ctx context.Context, conn net.Conn) error { return card.Serve(ctx, conn, c) }
}

// cardRoot returns the program with the card commands, whose output goes to out.
func cardRoot(out, progress io.Writer, args ...string) *cobra.Command {
	root := &cobra.Command{Use: "collector", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newCard())
	root.SetOut(out)
	root.SetErr(progress)
	root.SetArgs(append([]string{"card"}, args...))
	return root
}

// sellThroughReader sells a purchase at a counter whose reader is slot 1: through
// the whole stack, keys, MACs and read-back included.
func sellThroughReader(t *testing.T, d *pcscd.Daemon, c *card.Card, a cardslot.Application, number uint32, fen int64) {
	t.Helper()
	if err := d.Insert(1, lying(c)); err != nil {
		t.Fatal(err)
	}
	client, err := pcsc.Open(t.Context(), pcsc.Options{Socket: d.Socket()})
	if err != nil {
		t.Fatal(err)
	}
	reader := client.Reader(pcscd.Reader(1))
	in, err := reader.WaitCard(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	journal, err := cardslot.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	sold, err := cardslot.Sell(t.Context(), in, card.TestSAM(), journal, cardslot.Order{
		ID: "order-1", Application: a, Issuer: card.SimulatorIssuer, Customer: testCustomer, MeterNumber: testMeter,
		Amount: schemas.Credit{Value: fen, Unit: schemas.CreditFen}, Purchase: number, Terminal: "counter-1", At: testTime,
	})
	if err != nil || sold.Outcome != cardslot.Committed {
		t.Fatalf("sale: %v (%s), %v", sold.Outcome, sold.Advice, err)
	}
	if err := errors.Join(journal.Close(), in.Close(), d.Remove(1), reader.WaitRemoval(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// testTime is when the meters of these tests live: 10:00 in China.
var testTime = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

// carryHome puts the card into the meter, which loads the purchase.
func carryHome(t *testing.T, c *card.Card, utility schemas.Medium) {
	t.Helper()
	m, err := prepaid.New(prepaid.Config{
		Utility: utility, Number: testMeter, Customer: testCustomer, Unit: schemas.CreditFen, Start: testTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := m.Insert(t.Context(), c, card.MeterSAM(), testTime); !o.Loaded || !o.Returned {
		t.Fatalf("the meter did not load the purchase: fault %d, %v", o.Fault, o.Err)
	}
}

// watching is a running card watch.
type watching struct {
	t      *testing.T
	lines  chan string
	done   chan error
	cancel context.CancelFunc
}

// startWatch runs card watch in this process.
func startWatch(t *testing.T, args ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{t: t, lines: make(chan string, 100), done: make(chan error, 1), cancel: cancel}
	read, write := io.Pipe()
	go func() {
		err := cardRoot(write, io.Discard, append([]string{"watch"}, args...)...).ExecuteContext(ctx)
		write.Close()
		w.done <- err
	}()
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(read); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	t.Cleanup(cancel)
	return w
}

// want takes the next line, which must match after its time.
func (w *watching) want(pattern string) {
	w.t.Helper()
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	select {
	case line, ok := <-w.lines:
		stamp, rest, _ := strings.Cut(line, "  ")
		if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", stamp); !ok || err != nil || !regexp.MustCompile(`^`+pattern+`$`).MatchString(rest) {
			w.t.Errorf("line %q, want %q", line, pattern)
		}
	case <-patience.C:
		w.t.Fatalf("no line, want %q", pattern)
	}
}

// end ends the watch as Ctrl-C does. No line may be left.
func (w *watching) end() {
	w.t.Helper()
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Errorf("the watch ended with %v", err)
	}
	for line := range w.lines {
		w.t.Errorf("one line more: %q", line)
	}
}

// TestCardWatch is the life of a purchase as a counter sees it through the real
// PC/SC stack: sold, seen, carried home, loaded, seen again.
func TestCardWatch(t *testing.T) {
	d := pcscd.Need(t)
	c := aCard(t)
	sellThroughReader(t, d, c, cardslot.WaterApplication, 1, 10000)
	w := startWatch(t, "--socket", d.Socket(), "--reader", "00 00")
	w.want(`reader  citygrid virtual reader 00 00: put a card in`)
	present := func(water ...string) {
		t.Helper()
		if err := d.Insert(0, lying(c)); err != nil {
			t.Fatal(err)
		}
		w.want(`insert  T=0, ATR 3B69[0-9A-F]+`)
		w.want(`read    card 0000000000000001, power: meter ` + testMeter + `: no purchase yet`)
		for _, line := range water {
			w.want(line)
		}
		if err := d.Remove(0); err != nil {
			t.Fatal(err)
		}
		w.want(`remove  citygrid virtual reader 00 00`)
	}
	const who = `card 0000000000000001, water: meter ` + testMeter
	present(`read    ` + who + `: purchase 1 of 100\.00 yuan not yet loaded`)
	carryHome(t, c, schemas.Water)
	present(`read    `+who+`: purchase 1 loaded; 100\.00 yuan left at 2026-11-20 10:00`,
		`load    `+who+` has taken purchase 1 of 100\.00 yuan; 100\.00 yuan left at 2026-11-20 10:00`)
	present(`read    ` + who + `: purchase 1 loaded; 100\.00 yuan left at 2026-11-20 10:00`)
	w.end()
}

// TestCardWatchSaysWhatItCannotRead puts in a card of another kind, which ends
// nothing.
func TestCardWatchSaysWhatItCannotRead(t *testing.T) {
	d := pcscd.Need(t)
	w := startWatch(t, "--socket", d.Socket(), "--reader", "00 00")
	w.want(`reader .*`)
	garbled := func(_ context.Context, conn net.Conn) error { return babble(conn) }
	stranger := aCard(t)
	if err := stranger.Store(card.MF, 0x01, make([]byte, 39)); err != nil {
		t.Fatal(err)
	}
	for _, in := range []struct {
		serve pcscd.Serve
		lines []string
	}{
		{lying(stranger), []string{`insert .*`, `fail    read public file of card 0000000000000001: .*`, `remove .*`}},
		{garbled, []string{`fail    .*neither T=0 nor T=1.*`, `remove .*`}},
		{lying(aCard(t)), []string{`insert .*`, `read .*power.*`, `read .*water.*`, `remove .*`}},
	} {
		if err := d.Insert(0, in.serve); err != nil {
			t.Fatal(err)
		}
		for _, line := range in.lines {
			if strings.HasPrefix(line, "remove") {
				if err := d.Remove(0); err != nil {
					t.Fatal(err)
				}
			}
			w.want(line)
		}
	}
	w.end()
}

// babble answers everything with two bytes that are no answer to reset.
func babble(conn net.Conn) error {
	buf := make([]byte, 3) // a length of 1 and a control byte
	for {
		if _, err := io.ReadFull(conn, buf); err != nil {
			return err
		}
		if buf[2] != 4 {
			continue
		}
		if _, err := conn.Write([]byte{0, 2, 0x01, 0x02}); err != nil {
			return err
		}
	}
}

// TestCardWatchPublishes checks that what a card tells is on the collector's disk
// when its line is printed. There is no broker.
func TestCardWatchPublishes(t *testing.T) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC", "GOMAXPROCS"} {
		t.Setenv(name, "set") // the collector is not to tune the process of the tests
	}
	d := pcscd.Need(t)
	c := aCard(t)
	sellThroughReader(t, d, c, cardslot.WaterApplication, 1, 10000)
	carryHome(t, c, schemas.Water)
	w := startWatch(t, "--socket", d.Socket(), "--publish", "-c", aCollector(t), "--water", "fen", "--gas", "L")
	w.want(`reader .*`)
	if err := d.Insert(0, lying(c)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`insert .*`, `read .*`, `read .*`, `publish card 0000000000000001: 1 entries are on disk and go to the hub`} {
		w.want(line)
	}
	w.end()
}

// TestReaderFaultLeavesMetersAlone: a pcscd that ends takes no meter along.
func TestReaderFaultLeavesMetersAlone(t *testing.T) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC", "GOMAXPROCS"} {
		t.Setenv(name, "set")
	}
	d := pcscd.Need(t)
	w := startWatch(t, "--socket", d.Socket(), "--publish", "-c", aCollector(t), "--water", "fen", "--gas", "fen")
	w.want(`reader .*`)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	w.want(`fail    .*pcscd.*the meters are read on.*`)
	w.end()
}

// aCollector returns the configuration file of a collector with meters and a
// bundle, whose broker does not answer.
func aCollector(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	master, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Issue(master, "310115", "c1", 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.WriteBundle(filepath.Join(dir, "nowhere.bundle"), bundle); err != nil {
		t.Fatal(err)
	}
	meters := newSlave(t)
	t.Cleanup(meters.close)
	path := filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, live, meters.address()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCardWatchEndsWithItsDaemon: nobody must believe in a watch that is blind.
func TestCardWatchEndsWithItsDaemon(t *testing.T) {
	d := pcscd.Need(t)
	w := startWatch(t, "--socket", d.Socket())
	w.want(`reader .*`)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-w.done; cli.ExitCode(err) != 1 || !errors.Is(err, pcsc.ErrNotRunning) && !errors.Is(err, pcsc.ErrDenied) {
		t.Errorf("code %d, %v", cli.ExitCode(err), err)
	}
}

func TestCardRead(t *testing.T) {
	d := pcscd.Need(t)
	c := aCard(t)
	sellThroughReader(t, d, c, cardslot.WaterApplication, 1, 10000)
	carryHome(t, c, schemas.Water)
	if err := d.Insert(0, lying(c)); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if err := cardRoot(&out, &progress, "read", "--socket", d.Socket()).ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`card +chip +serial +0000000000000001`, `card +public +issuer +00000000 \(city 0000\)`,
		`water +order +card type +open account`, `water +wallet +purchase +number 1, loaded; 0\.00 yuan in the wallet`,
		`water +return +remaining +100\.00 yuan`, `water +return +bought, whole life +100\.00 yuan`,
		`power +return +- +no meter has written back yet`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).Match(out.Bytes()) {
			t.Errorf("no line %q in\n%s", want, &out)
		}
	}
	if !strings.Contains(progress.String(), "waiting for a card") {
		t.Errorf("progress %q", &progress)
	}
	out.Reset()
	if err := cardRoot(&out, &progress, "read", "--json", "--socket", d.Socket()).ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var view cardView
	if err := json.Unmarshal(out.Bytes(), &view); err != nil {
		t.Fatal(err)
	}
	water := view.Applications[1]
	if view.Card != card.Serial(1) || view.Protocol != "T=0" || water.Utility != schemas.Water || water.Meter != testMeter ||
		water.Wallet != (walletView{Purchase: 1, Unit: schemas.CreditFen}) || !slices.Contains(water.Returned, field{"remaining", "100.00 yuan"}) {
		t.Errorf("JSON %+v", view)
	}
	if e := view.Entries; len(e) != 1 || e[0].Event != schemas.CardReturn || e[0].Bought != (schemas.Credit{Value: 10000, Unit: schemas.CreditFen}) {
		t.Errorf("entries %+v", e)
	}
}

// TestCardReadShowsATornFile damages the purchase file as a torn write would.
func TestCardReadShowsATornFile(t *testing.T) {
	d := pcscd.Need(t)
	c := aCard(t)
	file, _ := c.File(card.Water, 1)
	file[len(file)-2]++ // the checksum
	if err := c.Store(card.Water, 1, file); err != nil {
		t.Fatal(err)
	}
	if err := d.Insert(0, lying(c)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := cardRoot(&out, io.Discard, "read", "--socket", d.Socket()).ExecuteContext(t.Context())
	if cli.ExitCode(err) != 1 || !strings.Contains(out.String(), "PROBLEM") || !strings.Contains(out.String(), "power") {
		t.Errorf("code %d, %v, printed\n%s", cli.ExitCode(err), err, &out)
	}
}

func TestCardList(t *testing.T) {
	d := pcscd.Need(t)
	var out bytes.Buffer
	if err := cardRoot(&out, io.Discard, "list", "--socket", d.Socket()).ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := pcscd.Reader(0) + "\n" + pcscd.Reader(1) + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
}

// TestCardUsage needs no pcscd.
func TestCardUsage(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list", "--socket", none}, 1, "pcscd does not run"},
		{[]string{"read", "--socket", none}, 1, "pcscd does not run"},
		{[]string{"watch", "--socket", none}, 1, "pcscd does not run"},
		{[]string{"read", "--water", "m3"}, 2, "--water m3: want fen or L"},
		{[]string{"watch", "--publish"}, 2, "--publish and -c FILE belong together"},
		{[]string{"watch", "-c", none}, 2, "--publish and -c FILE belong together"},
		{[]string{"watch", "--publish", "-c", none}, 2, "--water and --gas"},
		{[]string{"watch", "--publish", "-c", none, "--water", "L"}, 2, "--water and --gas"},
		{[]string{"watch", "--publish", "-c", none, "--water", "L", "--gas", "fen"}, 2, "no such file"},
	}
	for _, tt := range tests {
		err := cardRoot(io.Discard, io.Discard, tt.args...).ExecuteContext(t.Context())
		if cli.ExitCode(err) != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("card %q: code %d, %v; want %d, %q", tt.args, cli.ExitCode(err), err, tt.code, tt.want)
		}
	}
}

// BenchmarkCardRead reads a whole card, as each insertion does.
func BenchmarkCardRead(b *testing.B) {
	d := pcscd.Need(b)
	if err := d.Insert(0, lying(aCard(b))); err != nil {
		b.Fatal(err)
	}
	client, err := pcsc.Open(b.Context(), pcsc.Options{Socket: d.Socket()})
	if err != nil {
		b.Fatal(err)
	}
	in, err := client.Reader(pcscd.Reader(0)).WaitCard(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	for b.Loop() {
		if _, err := cardslot.Read(b.Context(), in, cardslot.Profile{}); err != nil {
			b.Fatal(err)
		}
	}
}
