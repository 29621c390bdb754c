package pcsc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/internal/pcscd"
)

// The answers to reset of the test card: T=0 with historical bytes as in
// [shared fact: 3B 69 ... with the serial at the end], and the smallest of T=1,
// with its check byte [ISO/IEC 7816-3 8.2].
var (
	atrT0 = []byte{0x3B, 0x69, 0x00, 0x00, 0x57, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08}
	atrT1 = []byte{0x3B, 0x80, 0x01, 0x81}
)

// smallCard is a card that answers READ BINARY with the offset it was asked for
// and everything else with 9000. It keeps what it was sent.
type smallCard struct {
	atr []byte
	// pullAt closes the connection instead of answering the command with this
	// number, from 1; 0 never does.
	pullAt int

	mu       sync.Mutex
	commands [][]byte
}

func (c *smallCard) sent() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.commands)
}

// serve speaks the vpcd protocol: two bytes of length, then one byte of control
// (off, on, reset, ATR) or an APDU [vsmartcard, virtualsmartcard/src/vpcd].
func (c *smallCard) serve(_ context.Context, conn net.Conn) error {
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return err
		}
		message := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, message); err != nil {
			return err
		}
		answer := c.answer(message)
		if answer == nil {
			continue
		}
		if len(answer) == 0 {
			return nil // pulled
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return err
		}
	}
}

// answer returns nil for no answer, and nothing for a card that is pulled.
func (c *smallCard) answer(message []byte) []byte {
	if len(message) == 1 {
		if message[0] == 4 {
			return c.atr
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, message)
	if len(c.commands) == c.pullAt {
		return []byte{}
	}
	if len(message) == 5 && message[1] == 0xB0 {
		data := bytes.Repeat([]byte{message[3]}, int(message[4]))
		return append(data, 0x90, 0x00)
	}
	return []byte{0x90, 0x00}
}

func mustOpen(t testing.TB, socket string) *pcsc.Client {
	t.Helper()
	c, err := pcsc.Open(t.Context(), pcsc.Options{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// waitCard waits for a card with a limit that only a fault reaches.
func waitCard(t testing.TB, r *pcsc.Reader) *pcsc.Card {
	t.Helper()
	card := <-comingCard(t, r)
	if card == nil {
		t.FailNow()
	}
	return card
}

// comingCard waits beside the test. It gives nil, and the test has failed, when
// there is none.
func comingCard(t testing.TB, r *pcsc.Reader) <-chan *pcsc.Card {
	coming := make(chan *pcsc.Card, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		card, err := r.WaitCard(ctx)
		if err != nil {
			t.Error(err)
		}
		coming <- card
	}()
	return coming
}

func mustInsert(t testing.TB, d *pcscd.Daemon, slot int, c *smallCard) {
	t.Helper()
	if err := d.Insert(slot, c.serve); err != nil {
		t.Fatal(err)
	}
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadersThroughPcscd(t *testing.T) {
	d := pcscd.Need(t)
	client := mustOpen(t, d.Socket())
	names, err := client.Readers(t.Context())
	if want := []string{pcscd.Reader(0), pcscd.Reader(1)}; err != nil || !slices.Equal(names, want) {
		t.Errorf("readers %q, %v; want %q", names, err, want)
	}
	name, err := client.WaitReader(t.Context(), "00 01")
	if err != nil || name != pcscd.Reader(1) {
		t.Errorf("waited for reader %q, %v", name, err)
	}
}

func TestCardThroughPcscd(t *testing.T) {
	d := pcscd.Need(t)
	client := mustOpen(t, d.Socket())
	tests := map[string]struct {
		slot           int
		atr            []byte
		protocol       string
		write, atCard  string // what is sent, and what the card sees of it
		read, wantRead string
	}{
		"T=0": {0, atrT0, "T=0", "00A4000002DF0100", "00A4000002DF01", "00B0000703", "0707079000"},
		"T=1": {1, atrT1, "T=1", "00A4000002DF0100", "00A4000002DF0100", "00B0000803", "0808089000"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			small := &smallCard{atr: tt.atr}
			mustInsert(t, d, tt.slot, small)
			card := waitCard(t, client.Reader(pcscd.Reader(tt.slot)))
			defer card.Close()
			if card.Protocol() != tt.protocol || !bytes.Equal(card.ATR(), tt.atr) {
				t.Errorf("protocol %s, ATR % X", card.Protocol(), card.ATR())
			}
			if answer, err := card.Transmit(t.Context(), fromHex(t, tt.write)); err != nil || !bytes.Equal(answer, []byte{0x90, 0}) {
				t.Errorf("write: % X, %v", answer, err)
			}
			answer, err := card.Transmit(t.Context(), fromHex(t, tt.read))
			if err != nil || !bytes.Equal(answer, fromHex(t, tt.wantRead)) {
				t.Errorf("read: % X, %v", answer, err)
			}
			if sent := small.sent(); len(sent) != 2 || !bytes.Equal(sent[0], fromHex(t, tt.atCard)) {
				t.Errorf("the card saw % X", sent)
			}
			if err := card.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLongAnswers reads as much as a short APDU can carry.
func TestLongAnswers(t *testing.T) {
	d := pcscd.Need(t)
	mustInsert(t, d, 0, &smallCard{atr: atrT0})
	card := waitCard(t, mustOpen(t, d.Socket()).Reader(pcscd.Reader(0)))
	defer card.Close()
	for _, n := range []byte{1, 0x7C, 0xFF} {
		answer, err := card.Transmit(t.Context(), []byte{0, 0xB0, 0, 1, n})
		if err != nil || len(answer) != int(n)+2 {
			t.Errorf("%d bytes: got %d, %v", n, len(answer), err)
		}
	}
}

func TestInsertAndRemove(t *testing.T) {
	d := pcscd.Need(t)
	reader := mustOpen(t, d.Socket()).Reader(pcscd.Reader(0))
	for range 2 {
		inserted := comingCard(t, reader)
		mustInsert(t, d, 0, &smallCard{atr: atrT0})
		card := <-inserted
		if card == nil {
			return
		}
		if err := card.Close(); err != nil {
			t.Error(err)
		}
		removed := make(chan error)
		go func() { removed <- reader.WaitRemoval(t.Context()) }()
		select {
		case err := <-removed:
			t.Fatalf("removal reported while the card is in: %v", err)
		default:
		}
		if err := d.Remove(0); err != nil {
			t.Error(err)
		}
		if err := <-removed; err != nil {
			t.Error(err)
		}
	}
}

// TestPulledDuringACommand pulls the card when it has got a command and not yet
// answered it.
func TestPulledDuringACommand(t *testing.T) {
	d := pcscd.Need(t)
	small := &smallCard{atr: atrT0, pullAt: 2}
	mustInsert(t, d, 0, small)
	reader := mustOpen(t, d.Socket()).Reader(pcscd.Reader(0))
	card := waitCard(t, reader)
	if _, err := card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	pulled := make(chan error)
	go func() { pulled <- d.Remove(0) }()
	answer, err := card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 4})
	if err := <-pulled; err != nil {
		t.Error(err)
	}
	if !errors.Is(err, cardslot.ErrRemoved) {
		t.Errorf("answer % X, error %v; want ErrRemoved", answer, err)
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}
	if err := reader.WaitRemoval(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWaitsEndWithTheirContext(t *testing.T) {
	d := pcscd.Need(t)
	client := mustOpen(t, d.Socket())
	reader := client.Reader(pcscd.Reader(0))
	full := client.Reader(pcscd.Reader(1))
	mustInsert(t, d, 1, &smallCard{atr: atrT1})
	card := waitCard(t, full)
	defer card.Close()
	waits := map[string]func(context.Context) error{
		"card":    func(ctx context.Context) error { _, err := reader.WaitCard(ctx); return err },
		"removal": full.WaitRemoval,
		"reader":  func(ctx context.Context) error { _, err := client.WaitReader(ctx, "no such"); return err },
	}
	for name, wait := range waits {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		err := wait(ctx)
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
			t.Errorf("%s: %v after %s", name, err, took)
		}
		cancel()
		if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with an ended context: %v", name, err)
		}
	}
}

// TestOneProgramAtATime checks the transaction: a second program gets the card
// only when the first has closed it.
func TestOneProgramAtATime(t *testing.T) {
	d := pcscd.Need(t)
	mustInsert(t, d, 0, &smallCard{atr: atrT0})
	client := mustOpen(t, d.Socket())
	first := waitCard(t, client.Reader(pcscd.Reader(0)))
	second := comingCard(t, client.Reader(pcscd.Reader(0)))
	for range 20 {
		if _, err := first.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 4}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-second:
			t.Fatal("two programs have the card")
		default:
		}
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if card := <-second; card != nil {
		if err := card.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDaemonNotRunning(t *testing.T) {
	_, err := pcsc.Open(t.Context(), pcsc.Options{Socket: filepath.Join(t.TempDir(), "comm")})
	if !errors.Is(err, pcsc.ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

// TestDaemonDies checks that a wait does not outlive its daemon.
func TestDaemonDies(t *testing.T) {
	d := pcscd.Need(t)
	client := mustOpen(t, d.Socket())
	waited := make(chan error)
	go func() {
		_, err := client.Reader(pcscd.Reader(0)).WaitCard(t.Context())
		waited <- err
	}()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; !errors.Is(err, pcsc.ErrNotRunning) && !errors.Is(err, pcsc.ErrDenied) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
}

// BenchmarkReadBinary reads 124 bytes, the longest file of a card, through the
// whole stack.
func BenchmarkReadBinary(b *testing.B) {
	d := pcscd.Need(b)
	mustInsert(b, d, 0, &smallCard{atr: atrT0})
	card := waitCard(b, mustOpen(b, d.Socket()).Reader(pcscd.Reader(0)))
	defer card.Close()
	command := []byte{0, 0xB0, 0x82, 0, 0x7C}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := card.Transmit(b.Context(), command); err != nil {
			b.Fatal(err)
		}
	}
}
