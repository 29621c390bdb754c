package card_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

const serial = "000000000000002A"

// counting is a random source whose bytes are known: 0, 1, 2, ...
type counting struct{ next byte }

func (r *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.next
		r.next++
	}
	return len(p), nil
}

func options() card.Options {
	return card.Options{
		Serial: serial, Issuer: "00310001", Customer: "112233445566",
		MeterNumbers: map[schemas.Medium]string{schemas.Power: "161", schemas.Water: "789", schemas.Gas: "990000000001"},
		Random:       new(counting),
	}
}

func mustNew(t testing.TB) *card.Card {
	t.Helper()
	c, err := card.New(options())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send transmits a command in hex and compares the answer, also in hex.
func send(t testing.TB, c *card.Card, command, want string) {
	t.Helper()
	got := fmt.Sprintf("%X", c.Transmit(unhex(t, command)))
	if want = strings.ReplaceAll(want, " ", ""); got != want {
		t.Fatalf("%s: answer %s; want %s", command, got, want)
	}
}

// party is a terminal or meter that computes by itself: nothing of the card's
// arithmetic is used.
type party struct {
	t   testing.TB
	c   *card.Card
	app byte // 1, 2, 3
	key byte // 1 terminal, 2 meter
}

func sm4(t testing.TB, key, in []byte) []byte {
	t.Helper()
	b, err := gm.NewSM4(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 16)
	b.Encrypt(out, in)
	return out
}

func (p party) cardKey() []byte {
	factor := unhex(p.t, serial+"FFFFFFFFFFFFFFD5")
	return sm4(p.t, append([]byte("CITYGRID TEST "), p.app, p.key), factor)
}

// mac chains the blocks by hand.
func (p party) mac(challenge, message []byte) []byte {
	state := make([]byte, 16)
	copy(state, challenge)
	message = append(bytes.Clone(message), 0x80)
	for len(message)%16 != 0 {
		message = append(message, 0)
	}
	for ; len(message) > 0; message = message[16:] {
		for i := range state {
			state[i] ^= message[i]
		}
		state = sm4(p.t, p.cardKey(), state)
	}
	return state[:4]
}

func (p party) challenge(n byte) []byte {
	p.t.Helper()
	answer := p.c.Transmit([]byte{0x00, 0x84, 0, 0, n})
	if len(answer) != int(n)+2 || !bytes.HasSuffix(answer, []byte{0x90, 0x00}) {
		p.t.Fatalf("GET CHALLENGE %d: %X", n, answer)
	}
	return answer[:n]
}

func (p party) enter() {
	p.t.Helper()
	answer := p.c.Transmit([]byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0xDF, p.app})
	if !bytes.Equal(answer, []byte{0x90, 0x00}) {
		p.t.Fatalf("SELECT DF%02X: %X", p.app, answer)
	}
}

func (p party) external() string {
	p.t.Helper()
	plain := append(bytes.Clone(p.challenge(8)), make([]byte, 8)...)
	command := append([]byte{0x00, 0x82, 0x00, p.key, 0x08}, sm4(p.t, p.cardKey(), plain)[:8]...)
	return fmt.Sprintf("%X", p.c.Transmit(command))
}

// authenticate selects the application and proves the key.
func (p party) authenticate() {
	p.t.Helper()
	p.enter()
	if sw := p.external(); sw != "9000" {
		p.t.Fatalf("EXTERNAL AUTHENTICATE key %02X: %s", p.key, sw)
	}
}

// sealed is an UPDATE BINARY with a right MAC for a fresh challenge.
func (p party) sealed(sfi, offset byte, data []byte) []byte {
	p.t.Helper()
	challenge := p.challenge(4)
	command := append([]byte{0x04, 0xD6, 0x80 | sfi, offset, byte(len(data) + 4)}, data...)
	return append(command, p.mac(challenge, command)...)
}

func (p party) update(sfi, offset byte, data []byte) string {
	p.t.Helper()
	return fmt.Sprintf("%X", p.c.Transmit(p.sealed(sfi, offset, data)))
}

func TestAnswerToResetEndsInTheSerial(t *testing.T) {
	want := unhex(t, "3B69 0000 43 000000000000002A")
	if got := mustNew(t).Reset(); !bytes.Equal(got, want) {
		t.Errorf("ATR %X; want %X", got, want)
	}
}

// TestFilesOfANewCard reads every file through APDUs. Check sums were added up
// outside this project, by the rule that gives 11 and 1E for the two files printed
// in [metering 4.4].
func TestFilesOfANewCard(t *testing.T) {
	c := mustNew(t)
	send(t, c, "00B0810027", "00310001 000000000000002A 01 07 112233445566"+zeros(19)+"9000")
	send(t, c, "00B0990108", serial+"9000")
	send(t, c, "00A4000C02DF01", "9000")
	send(t, c, "00B081002D", "68 01 0027"+zeros(20)+"000001 000001 000000000161 112233445566 01 F2 16 9000")
	send(t, c, "00B0820008", zeros(8)+"9000")
	send(t, c, "00B0850031", zeros(49)+"9000")
	for sfi := range 2 { // 258 bytes: 256 by the short identifier, the rest by the offset in the current file
		send(t, c, fmt.Sprintf("00B0%02X0000", 0x83+sfi), zeros(256)+"9000")
		send(t, c, "00B0010002", zeros(2)+"9000")
	}
	send(t, c, "00A4000C02DF02", "9000")
	send(t, c, "00B0810032", "68 01 2D 000000000789 112233445566 01 01 01 10 00"+zeros(28)+"36 16 9000")
	send(t, c, "00A4000C02DF03", "9000")
	send(t, c, "00B0810032", "68 01 2D 990000000001 112233445566 01 01 01 30 00"+zeros(28)+"60 16 9000")
	for app := 2; app <= 3; app++ {
		send(t, c, fmt.Sprintf("00A4000C02DF%02X", app), "9000")
		send(t, c, "00B082007C", zeros(124)+"9000")
		send(t, c, "00B0830008", zeros(8)+"9000")
		send(t, c, "00B087006A", zeros(106)+"9000")
		send(t, c, "00B099006A", zeros(106)+"9000")
	}
}

func zeros(n int) string { return strings.Repeat("00", n) }

// TestStatusWords has a row for every status word that the card knows, reached by
// the preparation and the command.
func TestStatusWords(t *testing.T) {
	const nothing = "" // no preparation
	for _, row := range []struct{ name, before, command, want string }{
		{"folder by identifier", nothing, "00A4000002DF01", "6113"},
		{"folder by name", nothing, "00A404000B F043495459475249 44 DF02", "6113"},
		{"folder with an Le for T=1", nothing, "00A4000002DF0100", "6113"},
		{"its control information", "00A4000002DF01", "00C0000013", "6F11 840B F043495459475249 44 DF01 8302 DF01 9000"},
		{"fetched in parts", "00A4000002DF01", "00C0000004", "6F11 840B 610F"},
		{"fetched whole by 00", "00A4000002DF01", "00C0000000", "6C13"},
		{"fetched too long", "00A4000002DF01", "00C0000014", "6C13"},
		{"fetched with P2", "00A4000002DF01", "00C0000113", "6A86"},
		{"fetched with data", "00A4000002DF01", "00C000000100", "6700"},
		{"nothing to fetch", nothing, "00C0000013", "6985"},
		{"nothing to fetch any more", "00A4000002DF01 00B0990108", "00C0000013", "6985"},
		{"file by identifier", "00A4000C02DF01", "00A40000020003", "610A"},
		{"its size", "00A4000C02DF01 00A40000020003", "00C000000A", "6F08 8002 0102 8302 0003 9000"},
		{"unknown folder", nothing, "00A4000002DF04", "6A82"},
		{"unknown file", nothing, "00A40000020002", "6A82"},
		{"unknown name", nothing, "00A4040007A0000000031010", "6A82"},
		{"SELECT by path", nothing, "00A4080002DF01", "6A86"},
		{"SELECT next", nothing, "00A4000202DF01", "6A86"},
		{"SELECT of nothing", nothing, "00A40000", "6700"},
		{"SELECT of one byte", nothing, "00A40000013F", "6700"},
		{"SELECT cut off", nothing, "00A4000002DF", "6700"},
		{"SELECT with a tail", nothing, "00A4000002DF010000", "6700"},

		{"Le too long", nothing, "00B0810028", "6C27"},
		{"Le of 256", nothing, "00B0810000", "6C27"},
		{"Le too long for the rest", nothing, "00B0812008", "6C07"},
		{"no Le", nothing, "00B08100", "6C27"},
		{"offset behind the end", nothing, "00B0812701", "6B00"},
		{"file that is not there", nothing, "00B0820008", "6A82"},
		{"file 00", nothing, "00B0800001", "6A82"},
		{"reserved bits of P1", nothing, "00B0C10001", "6A86"},
		{"no current file", nothing, "00B0000001", "6986"},
		{"READ with data", nothing, "00B081000100", "6700"},

		{"challenge of 8", nothing, "0084000008", "0001020304050607 9000"},
		{"challenge of 4", nothing, "0084000004", "00010203 9000"},
		{"challenge of 16", nothing, "0084000010", "6C08"},
		{"challenge with P1", nothing, "0084010008", "6A86"},
		{"challenge with data", nothing, "008400000800", "6700"},

		{"no key in the MF", nothing, "00820001080000000000000000", "6A88"},
		{"no such key", "00A4000C02DF01", "00820003080000000000000000", "6A88"},
		{"key 0", "00A4000C02DF01", "00820000080000000000000000", "6A88"},
		{"EXTERNAL with P1", "00A4000C02DF01", "00820101080000000000000000", "6A86"},
		{"EXTERNAL without challenge", "00A4000C02DF01", "00820001080000000000000000", "6984"},
		{"EXTERNAL after a challenge of 4", "00A4000C02DF01 0084000004", "00820001080000000000000000", "6984"},
		{"EXTERNAL of 7 bytes", "00A4000C02DF01 0084000008", "008200010700000000000000", "6700"},
		{"EXTERNAL cut off", "00A4000C02DF01 0084000008", "00820001080000", "6700"},
		{"EXTERNAL wrong", "00A4000C02DF01 0084000008", "00820001080000000000000000", "63C2"},
		{"EXTERNAL wrong twice", "00A4000C02DF01 0084000008 00820001080000000000000000 0084000008", "00820001080000000000000000", "63C1"},
		{"INTERNAL", "00A4000C02DF01", "00880001080102030405060708", "6108"},
		{"INTERNAL of the MF", nothing, "00880001080102030405060708", "6A88"},
		{"INTERNAL with P1", "00A4000C02DF01", "00880101080102030405060708", "6A86"},
		{"INTERNAL of 4 bytes", "00A4000C02DF01", "008800010401020304", "6700"},

		{"nobody writes the public file", nothing, "00D681000100", "6982"},
		{"UPDATE without authentication", "00A4000C02DF01", "00D682000100", "6982"},
		{"UPDATE with MAC without authentication", "00A4000C02DF01 0084000004", "04D68200050000000000", "6982"},
		{"UPDATE of a file that is not there", "00A4000C02DF01", "00D686000100", "6A82"},
		{"UPDATE behind the end", "00A4000C02DF01", "00D682080100", "6B00"},
		{"READ with MAC without authentication", "00A4000C02DF01 0084000004", "04B082000C", "6982"},

		{"instruction of nobody", nothing, "00F2000000", "6D00"},
		{"VERIFY, which this card has not", nothing, "0020000003000000", "6D00"},
		{"READ RECORD, which this card has not", nothing, "00B2010400", "6D00"},
		{"balance of a city purse", nothing, "805C000204", "6E00"},
		{"SELECT with MAC", nothing, "04A4000002DF01", "6E00"},
		{"GET RESPONSE with MAC", nothing, "04C0000001", "6E00"},
		{"class of nobody", nothing, "FFCA000000", "6E00"},
		{"no command", nothing, "", "6700"},
		{"half a header", nothing, "00A400", "6700"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := mustNew(t)
			for _, command := range strings.Fields(row.before) {
				c.Transmit(unhex(t, command))
			}
			before := c.Snapshot()
			send(t, c, row.command, row.want)
			if c.Snapshot() != before {
				t.Error("the files have changed")
			}
		})
	}
}
