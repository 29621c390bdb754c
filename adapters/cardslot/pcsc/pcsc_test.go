package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/cardslot"
)

const inside = statePresent | 0x10 | 0x20 // present, powered, negotiable

// TestVersions meets the daemons of the table in the package comment.
func TestVersions(t *testing.T) {
	tests := []struct {
		minor, lowest int32
		want          int32 // 0 means ErrVersion
	}{
		{2, 2, 0}, {3, 3, 3}, {4, 4, 4}, {5, 5, 5}, {5, 4, 4}, {6, 4, 4}, {6, 6, 0}, {7, 5, 0},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("4.%d taking 4.%d", tt.minor, tt.lowest)
		client := (&fakeDaemon{minor: tt.minor, lowest: tt.lowest}).serve(t)
		conn, err := client.dial(t.Context())
		if tt.want == 0 {
			if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), fmt.Sprintf("4.%d", tt.minor)) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if conn.minor != tt.want {
			t.Errorf("%s: agreed on 4.%d, want 4.%d", name, conn.minor, tt.want)
		}
		conn.close()
	}
}

// TestRefusals checks what the daemon's ways to say no become.
func TestRefusals(t *testing.T) {
	in := aReader("R", 1, inside, 0x3B, 0)
	tests := map[string]struct {
		daemon *fakeDaemon
		want   error
	}{
		"polkit, at the door":           {&fakeDaemon{hangUp: cmdVersion}, ErrDenied},
		"polkit, the card, before 2.3":  {&fakeDaemon{hangUp: cmdConnect}, ErrDenied},
		"polkit, the card":              {&fakeDaemon{connect: []Status{statusSecurity}}, ErrDenied},
		"another program, exclusive":    {&fakeDaemon{connect: []Status{statusSharing}}, ErrBusy},
		"another program's transaction": {&fakeDaemon{begin: []Status{statusSharing}}, ErrBusy},
		"neither T=0 nor T=1":           {&fakeDaemon{connect: []Status{statusProtocol}}, statusProtocol},
		"the daemon ends":               {&fakeDaemon{hangUp: cmdBeginTransaction}, ErrNotRunning},
		"mute, found when connecting":   {&fakeDaemon{connect: []Status{statusUnpowered}}, ErrMute},
	}
	for name, tt := range tests {
		tt.daemon.minor, tt.daemon.lowest = 4, 4
		client := tt.daemon.serve(t)
		tt.daemon.setReaders(in)
		if _, err := client.Reader("R").WaitCard(t.Context()); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestPatience checks that a card which another program holds for a moment is
// waited for.
func TestPatience(t *testing.T) {
	daemon := fakeDaemon{minor: 4, connect: []Status{statusSharing, 0}, begin: []Status{statusSharing, 0}}
	client := daemon.serve(t)
	client.patience = time.Minute
	daemon.setReaders(aReader("R", 1, inside, 0x3B, 0))
	card, err := client.Reader("R").WaitCard(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}
}

// TestChangesOfReaders follows a reader through plugging, a card that is pulled
// too early, a mute one and unplugging, with word from the daemon and by polling.
func TestChangesOfReaders(t *testing.T) {
	for _, minor := range []int32{3, 4, 5} {
		t.Run(fmt.Sprintf("4.%d", minor), func(t *testing.T) {
			daemon := &fakeDaemon{minor: minor, lowest: minor, connect: []Status{statusRemoved, 0}}
			client := daemon.serve(t)
			if _, err := client.Readers(t.Context()); !errors.Is(err, ErrNoReader) {
				t.Errorf("no readers: got %v", err)
			}
			plugged := start(func() error { _, err := client.WaitReader(t.Context(), "R"); return err })
			daemon.setReaders(aReader("Q", 0, 2), aReader("R", 0, 2))
			if err := <-plugged; err != nil {
				t.Error(err)
			}
			if names, err := client.Readers(t.Context()); err != nil || !slices.Equal(names, []string{"Q", "R"}) {
				t.Errorf("readers %q, %v", names, err)
			}
			reader := client.Reader("R")
			var card *Card
			inserted := start(func() (err error) { card, err = reader.WaitCard(t.Context()); return err })
			daemon.setReaders(aReader("R", 1, inside, 0x3B, 0))
			if err := <-inserted; err != nil {
				t.Fatal(err)
			}
			card.Close()
			swapped := start(func() error { return reader.WaitRemoval(t.Context()) })
			daemon.setReaders(aReader("R", 3, statePresent|stateSwallowed))
			if err := <-swapped; err != nil {
				t.Errorf("another card in its place: %v", err)
			}
			if _, err := reader.WaitCard(t.Context()); !errors.Is(err, ErrMute) {
				t.Errorf("mute card: got %v", err)
			}
			removed := start(func() error { return reader.WaitRemoval(t.Context()) })
			daemon.setReaders()
			if err := <-removed; err != nil {
				t.Errorf("unplugged with its card: %v", err)
			}
			if _, err := reader.WaitCard(t.Context()); !errors.Is(err, ErrNoReader) {
				t.Errorf("unplugged: got %v", err)
			}
		})
	}
}

// start runs f beside the test.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// TestUnplugWhileWaiting ends a wait for a card whose reader goes away.
func TestUnplugWhileWaiting(t *testing.T) {
	daemon := &fakeDaemon{minor: 4}
	client := daemon.serve(t)
	daemon.setReaders(aReader("R", 0, 2))
	waited := start(func() error { _, err := client.Reader("R").WaitCard(t.Context()); return err })
	daemon.setReaders()
	if err := <-waited; !errors.Is(err, ErrNoReader) {
		t.Errorf("got %v, want ErrNoReader", err)
	}
}

// connected returns a card of the daemon.
func connected(t *testing.T, daemon *fakeDaemon) *Card {
	t.Helper()
	daemon.minor = 4
	client := daemon.serve(t)
	daemon.setReaders(aReader("R", 1, inside, 0x3B, 0))
	card, err := client.Reader("R").WaitCard(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func TestTransmitFailures(t *testing.T) {
	tests := map[string]struct {
		daemon *fakeDaemon
		want   error // nil means any but ErrRemoved
	}{
		"removed":             {&fakeDaemon{transmit: statusRemoved}, cardslot.ErrRemoved},
		"reader gone":         {&fakeDaemon{transmit: statusReaderUnavailable}, cardslot.ErrRemoved},
		"no answer, pulled":   {&fakeDaemon{transmit: statusNotTransacted, pull: true}, cardslot.ErrRemoved},
		"no data, pulled":     {&fakeDaemon{pull: true}, cardslot.ErrRemoved},
		"reset":               {&fakeDaemon{transmit: statusReset}, statusReset},
		"no answer, still in": {&fakeDaemon{transmit: statusNotTransacted}, statusNotTransacted},
		"daemon ends":         {&fakeDaemon{hangUp: cmdTransmit}, ErrNotRunning},
		"no status word":      {&fakeDaemon{answer: []byte{0x90}}, nil},
		"nothing at all":      {&fakeDaemon{}, nil},
		"beyond all length":   {&fakeDaemon{announce: maxAPDU + 1}, nil},
		"less than announced": {&fakeDaemon{announce: 0x80000000}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			card := connected(t, tt.daemon)
			answer, err := card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 4})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && errors.Is(err, cardslot.ErrRemoved) {
				t.Errorf("answer % X, error %v, want %v", answer, err, tt.want)
			}
			if tt.want == statusNotTransacted && errors.Is(err, cardslot.ErrRemoved) {
				t.Errorf("%v, but the card is in", err)
			}
			card.Close()
		})
	}
}

// TestTransmitEndsWithItsContext checks that a card which never answers does not
// hold its user, and that nothing of the late answer can be taken for another.
func TestTransmitEndsWithItsContext(t *testing.T) {
	daemon := &fakeDaemon{stall: true}
	card := connected(t, daemon)
	ctx, cancel := context.WithCancel(t.Context())
	sent := start(func() error { _, err := card.Transmit(ctx, []byte{0, 0xB0, 0, 0, 4}); return err })
	<-daemon.stalled
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := card.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 4}); err == nil {
		t.Error("the connection was used again")
	}
	if err := card.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseTakesLeave(t *testing.T) {
	daemon := &fakeDaemon{}
	if err := connected(t, daemon).Close(); err != nil {
		t.Fatal(err)
	}
	daemon.mu.Lock()
	defer daemon.mu.Unlock()
	if daemon.disposed[cmdEndTransaction] != leaveCard || daemon.disposed[cmdDisconnect] != resetCard {
		t.Errorf("the card was left behind: %v", daemon.disposed)
	}
	for _, cmd := range []command{cmdEndTransaction, cmdDisconnect, cmdReleaseContext} {
		if daemon.commands[cmd] != 1 {
			t.Errorf("command %02X was sent %d times", cmd, daemon.commands[cmd])
		}
	}
}

func TestTPDU(t *testing.T) {
	tests := []struct {
		apdu, want string // no want: refused
	}{
		{"00A40000", "00A4000000"},
		{"0084000008", "0084000008"},
		{"00B0000000", "00B0000000"},
		{"00A40000023F00", "00A40000023F00"},
		{"00A40000023F0000", "00A40000023F00"},
		{"00A400", ""},
		{"00A40000023F", ""},
		{"00A40000023F000000", ""},
		{"00B00000000100", ""},
		{"", ""},
	}
	for _, tt := range tests {
		var apdu []byte
		fmt.Sscanf(tt.apdu, "%X", &apdu)
		before := slices.Clone(apdu)
		got, err := tpdu(apdu)
		if (err != nil) != (tt.want == "") || err == nil && fmt.Sprintf("%X", got) != tt.want {
			t.Errorf("%s: %X, %v; want %s", tt.apdu, got, err, tt.want)
		}
		if !slices.Equal(before, apdu) {
			t.Errorf("%s was changed", tt.apdu)
		}
	}
}

// TestTableLayout reads a table that is laid out by hand, at the offsets of the C
// struct on 64 and 32 bits: name 0, events 128, state 132, sharing 136, ATR 140,
// its length 176, protocol 180; 184 bytes in all.
func TestTableLayout(t *testing.T) {
	table := make([]byte, 16*184)
	place := table[3*184:]
	copy(place, "A reader\x00old text")
	binary.NativeEndian.PutUint32(place[128:], 0x01020304)
	binary.NativeEndian.PutUint32(place[132:], 0x34)
	binary.NativeEndian.PutUint32(place[136:], 0xFFFFFFFF)
	copy(place[140:], []byte{0x3B, 0x69, 0x11, 0x22})
	binary.NativeEndian.PutUint32(place[176:], 3)
	binary.NativeEndian.PutUint32(place[180:], 1)
	copy(table[5*184:], "B\xff")
	binary.NativeEndian.PutUint32(table[5*184+176:], 34) // not initialised yet
	states, err := decodeStates(table)
	if err != nil || len(states) != 2 {
		t.Fatalf("%+v, %v", states, err)
	}
	a := states[0]
	if a.name != "A reader" || a.events != 0x01020304 || !a.present() || a.mute() || !a.ready() || fmt.Sprintf("%X", a.atr) != "3B6911" {
		t.Errorf("first %+v", a)
	}
	if b := states[1]; b.name != `"B\xff"` || b.atr != nil || b.ready() {
		t.Errorf("second %+v", b)
	}
	if _, err := decodeStates(table[1:]); err == nil {
		t.Error("a short table was taken")
	}
}

func TestReaderNames(t *testing.T) {
	long := strings.Repeat("x", nameSize)
	if _, err := nameField(long); err == nil {
		t.Error("a name without room for its NUL was taken")
	}
	field, err := nameField(long[1:])
	if err != nil || trimName(field[:]) != long[1:] {
		t.Errorf("%q, %v", trimName(field[:]), err)
	}
}

func TestStatusTexts(t *testing.T) {
	if s := statusSharing.Error(); !strings.Contains(s, "another program") || !strings.Contains(s, "8010000B") {
		t.Errorf("sharing violation reads %q", s)
	}
	if s := Status(0x80100042).Error(); s != "pcscd answers 80100042" {
		t.Errorf("unknown status reads %q", s)
	}
}

func FuzzDecodeStates(f *testing.F) {
	f.Add(make([]byte, tableSize))
	full, err := binary.Append(nil, binary.NativeEndian, [maxReaders]stateMsg{aReader("R", 1, inside, 0x3B, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Fuzz(func(t *testing.T, table []byte) {
		states, err := decodeStates(table)
		if err != nil {
			return
		}
		for _, s := range states {
			if s.name == "" || strings.ContainsRune(s.name, 0) || len(s.atr) > atrSize {
				t.Errorf("state %+v", s)
			}
		}
	})
}

// FuzzDaemon lets a client talk to a daemon that says anything.
func FuzzDaemon(f *testing.F) {
	version, err := binary.Append(nil, binary.NativeEndian, versionMsg{Major: 4, Minor: 4})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(version)
	f.Add(append(slices.Clone(version), make([]byte, tableSize+200)...))
	f.Fuzz(func(t *testing.T, said []byte) {
		ours, theirs := net.Pipe()
		done := start(func() error {
			defer theirs.Close()
			_, err := theirs.Write(said)
			return err
		})
		listened := start(func() error { _, err := readAll(theirs); return err })
		n := &conn{Conn: ours}
		card := &Card{reader: &Reader{client: &Client{}, name: "R"}, conn: n}
		if n.negotiate(t.Context()) == nil {
			if _, err := n.watch(t.Context()); err == nil && card.open(t.Context()) == nil && card.begin(t.Context()) == nil {
				answer, err := card.transmit(t.Context(), []byte{0, 0xB0, 0, 0, 1})
				if err == nil && len(answer) > maxAPDU {
					t.Errorf("an answer of %d bytes", len(answer))
				}
			}
		}
		n.close()
		<-done
		<-listened
	})
}

// readAll reads until the connection ends.
func readAll(conn net.Conn) (n int, err error) {
	var buf [512]byte
	for err == nil {
		var m int
		m, err = conn.Read(buf[:])
		n += m
	}
	return n, err
}

// TestSilentDaemon: one that takes connections and says nothing is told from one
// that has nothing to say.
func TestSilentDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "comm")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := &Client{socket: socket, answers: 10 * time.Millisecond}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Readers(ctx); !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), socket) {
		t.Errorf("%v", err)
	}
}

// TestCardThatIsThereAndGone: a daemon whose table shows a card that it does not
// connect to, for a moment or for ever, is not asked as fast as it can answer.
func TestCardThatIsThereAndGone(t *testing.T) {
	f := &fakeDaemon{minor: 4, connect: []Status{statusUnknownReader}}
	client := f.serve(t)
	f.setReaders(aReader("R", 1, statePresent, 0x3B, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 10*busyPause)
	defer cancel()
	if _, err := client.Reader("R").WaitCard(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.commands[cmdConnect]; n < 1 || n > 11 {
		t.Errorf("connected %d times", n)
	}
}
