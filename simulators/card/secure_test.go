package card_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"citygrid/schemas"
	"citygrid/simulators/card"
)

func terminal(t testing.TB, c *card.Card, app byte) party { return party{t, c, app, 1} }
func meter(t testing.TB, c *card.Card, app byte) party    { return party{t, c, app, 2} }

func wantSW(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s; want %s", what, got, want)
	}
}

func wantFile(t testing.TB, c *card.Card, folder uint16, sfi byte, want string) {
	t.Helper()
	got, ok := c.File(folder, sfi)
	if !ok || !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("file %02X of %04X holds %X; want %s", sfi, folder, got, want)
	}
}

// TestSaleAndLoad is the life of a purchase of 50.00 yuan, number 3: a terminal
// writes it, the meter takes it and writes back.
func TestSaleAndLoad(t *testing.T) {
	c := mustNew(t)
	purchase := unhex(t, "68012D0000000007890000001122330101021000000013880003000003E80000012C0001869F00000000000A000000001E16")
	wallet := unhex(t, "0000138800000003")
	counter := terminal(t, c, 2)
	counter.authenticate()
	wantSW(t, "purchase file", counter.update(1, 0, purchase), "9000")
	wantSW(t, "wallet", counter.update(3, 0, wallet), "9000")
	wantSW(t, "return file by a terminal", counter.update(2, 0, make([]byte, 124)), "6982")
	wantFile(t, c, card.Water, 1, fmt.Sprintf("%X", purchase))
	wantFile(t, c, card.Water, 3, "0000138800000003")
	c.Reset()

	home := meter(t, c, 2)
	home.authenticate()
	wantSW(t, "purchase file by a meter", home.update(1, 0, purchase), "6982")
	wantSW(t, "more money", home.update(3, 0, unhex(t, "0000138900000003")), "6985")
	wantSW(t, "another count", home.update(3, 0, unhex(t, "0000000000000004")), "6985")
	wantSW(t, "another count alone", home.update(3, 7, []byte{4}), "6985")
	wantSW(t, "as much money", home.update(3, 0, wallet), "9000")
	wantSW(t, "less money", home.update(3, 0, unhex(t, "0000000100000003")), "9000")
	wantSW(t, "no money", home.update(3, 0, make([]byte, 4)), "9000")
	wantSW(t, "return file", home.update(2, 0, bytes.Repeat([]byte{0x5A}, 124)), "9000")
	wantFile(t, c, card.Water, 3, "0000000000000003")
	wantFile(t, c, card.Water, 2, strings.Repeat("5A", 124))
}

// TestRefusedUpdates are the status words of UPDATE for one who has authenticated.
func TestRefusedUpdates(t *testing.T) {
	for _, row := range []struct {
		name, want string
		command    func(p party) []byte
	}{
		{"no MAC", "6987", func(p party) []byte { return []byte{0x00, 0xD6, 0x82, 0, 1, 0} }},
		{"no challenge", "6984", func(p party) []byte { return append([]byte{0x04, 0xD6, 0x82, 0, 12}, make([]byte, 12)...) }},
		{"challenge spent by a read", "6984", func(p party) []byte {
			command := p.sealed(2, 0, make([]byte, 8))
			p.c.Transmit([]byte{0x00, 0xB0, 0x82, 0, 8})
			return command
		}},
		{"challenge spent by an unknown command", "6984", func(p party) []byte {
			command := p.sealed(2, 0, make([]byte, 8))
			p.c.Transmit([]byte{0x00, 0xFE, 0, 0})
			return command
		}},
		{"challenge spent by half a header", "6984", func(p party) []byte {
			command := p.sealed(2, 0, make([]byte, 8))
			p.c.Transmit([]byte{0x00})
			return command
		}},
		{"MAC of the challenge before", "6988", func(p party) []byte {
			command := p.sealed(2, 0, make([]byte, 8))
			p.challenge(4)
			return command
		}},
		{"other data", "6988", func(p party) []byte { return flip(p.sealed(2, 0, make([]byte, 8)), 8) }},
		{"other offset", "6988", func(p party) []byte { return flip(p.sealed(2, 0, make([]byte, 4)), 3) }},
		{"other file", "6988", func(p party) []byte { return flip(p.sealed(2, 0, make([]byte, 8)), 2) }},
		{"last byte of the MAC", "6988", func(p party) []byte { return flip(p.sealed(2, 0, make([]byte, 8)), 16) }},
		{"key of the meter", "6988", func(p party) []byte { return party{p.t, p.c, p.app, 2}.sealed(2, 0, make([]byte, 8)) }},
		{"key of another application", "6988", func(p party) []byte { return party{p.t, p.c, 3, 1}.sealed(2, 0, make([]byte, 8)) }},
		{"too much", "6700", func(p party) []byte { return p.sealed(2, 0, make([]byte, 9)) }},
		{"too much from the offset", "6700", func(p party) []byte { return p.sealed(2, 1, make([]byte, 8)) }},
		{"no data", "6700", func(p party) []byte { return p.sealed(2, 0, nil) }},
		{"cut off", "6700", func(p party) []byte { return p.sealed(2, 0, make([]byte, 8))[:16] }},
		{"with a tail", "6700", func(p party) []byte { return append(p.sealed(2, 0, make([]byte, 8)), 0) }},
		{"behind the end", "6B00", func(p party) []byte { return p.sealed(2, 8, make([]byte, 1)) }},
		{"not there", "6A82", func(p party) []byte { return p.sealed(9, 0, make([]byte, 1)) }},
		{"worn memory", "6581", func(p party) []byte { p.c.FailWrites(1); return p.sealed(2, 0, []byte{1}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := mustNew(t)
			p := terminal(t, c, 1)
			p.authenticate()
			before, command := c.Snapshot(), row.command(p)
			wantSW(t, "answer", fmt.Sprintf("%X", c.Transmit(command)), row.want)
			if c.Snapshot() != before {
				t.Error("the files have changed")
			}
			wantSW(t, "a right one after it", p.update(2, 0, unhex(t, "0000271000000001")), "9000")
		})
	}
}

// flip changes one bit of byte i. Bit 0 of P1 turns the wallet into the price
// file, bit 0 of P2 moves the offset by one.
func flip(command []byte, i int) []byte {
	command[i] ^= 1
	return command
}

// TestAMACServesOnce replays a right command with its MAC.
func TestAMACServesOnce(t *testing.T) {
	c := mustNew(t)
	p := terminal(t, c, 1)
	p.authenticate()
	command := p.sealed(2, 0, unhex(t, "0000271000000001"))
	wantSW(t, "first", fmt.Sprintf("%X", c.Transmit(command)), "9000")
	wantSW(t, "again", fmt.Sprintf("%X", c.Transmit(command)), "6984")
	p.challenge(4)
	wantSW(t, "again after a challenge", fmt.Sprintf("%X", c.Transmit(command)), "6988")
}

// TestUpdateOfTheCurrentFile writes the last bytes of a price file, which no short
// identifier reaches.
func TestUpdateOfTheCurrentFile(t *testing.T) {
	c := mustNew(t)
	p := terminal(t, c, 1)
	p.authenticate()
	send(t, c, "00A4000C020003", "9000")
	challenge := p.challenge(8)
	command := unhex(t, "04D6010006ABCD")
	wantSW(t, "bytes 256 and 257", fmt.Sprintf("%X", c.Transmit(append(command, p.mac(challenge, command)...))), "9000")
	wantFile(t, c, card.Power, 3, zeros(256)+"ABCD")
}

// TestAuthenticationEnds: with Reset, with SELECT of a folder, the same one too,
// and not with SELECT of a file.
func TestAuthenticationEnds(t *testing.T) {
	for _, row := range []struct {
		name, want string
		act        func(c *card.Card)
	}{
		{"reset", "6A82", func(c *card.Card) { c.Reset() }},
		{"reset and the folder again", "6982", func(c *card.Card) { c.Reset(); terminal(t, c, 1).enter() }},
		{"same folder", "6982", func(c *card.Card) { terminal(t, c, 1).enter() }},
		{"other folder and back", "6982", func(c *card.Card) { terminal(t, c, 2).enter(); terminal(t, c, 1).enter() }},
		{"folder that is not there", "9000", func(c *card.Card) { c.Transmit(unhex(t, "00A4000C02DF09")) }},
		{"a file", "9000", func(c *card.Card) { c.Transmit(unhex(t, "00A4000C020001")) }},
		{"a wrong cryptogram", "9000", func(c *card.Card) {
			c.Transmit(unhex(t, "0084000008"))
			c.Transmit(unhex(t, "00820001080000000000000000"))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := mustNew(t)
			p := terminal(t, c, 1)
			p.authenticate()
			row.act(c)
			wantSW(t, "wallet", p.update(2, 0, unhex(t, "0000271000000001")), row.want)
		})
	}
}

// TestResetForgets the answer that waits for GET RESPONSE and the current file.
func TestResetForgets(t *testing.T) {
	c := mustNew(t)
	send(t, c, "00B0810001", "009000")
	send(t, c, "00A40000020001", "610A")
	c.Reset()
	send(t, c, "00C000000A", "6985")
	send(t, c, "00B0000001", "6986")
}

// TestResetVoidsAChallenge between GET CHALLENGE and the command that it was for.
func TestResetVoidsAChallenge(t *testing.T) {
	c := mustNew(t)
	p := terminal(t, c, 1)
	challenge := p.challenge(8)
	c.Reset()
	p.enter()
	answer := sm4(t, p.cardKey(), append(bytes.Clone(challenge), make([]byte, 8)...))[:8]
	send(t, c, fmt.Sprintf("0082000108%X", answer), "6984")
}

// TestTries counts down over resets, comes back by a right answer, and ends in a
// key that is blocked even for a right one, while the other key is not.
func TestTries(t *testing.T) {
	c := mustNew(t)
	wrong := func(want string) {
		t.Helper()
		terminal(t, c, 1).enter()
		c.Transmit(unhex(t, "0084000008"))
		send(t, c, "00820001081111111111111111", want)
		c.Reset()
	}
	wrong("63C2")
	wrong("63C1")
	terminal(t, c, 1).authenticate()
	wrong("63C2")
	wrong("63C1")
	wrong("63C0")
	wrong("6983")
	terminal(t, c, 1).enter()
	wantSW(t, "right answer to a blocked key", terminal(t, c, 1).external(), "6983")
	send(t, c, "00880001080102030405060708", "6983")
	meter(t, c, 1).authenticate()
	terminal(t, c, 2).authenticate()
}

// TestNoReflection asks the card to answer its own challenge.
func TestNoReflection(t *testing.T) {
	c := mustNew(t)
	p := terminal(t, c, 1)
	p.enter()
	challenge := p.challenge(8)
	send(t, c, fmt.Sprintf("0088000108%X", challenge), "6108")
	answer := c.Transmit(unhex(t, "00C0000008"))[:8]
	want := sm4(t, p.cardKey(), append(bytes.Clone(challenge), make([]byte, 8)...))[:8]
	if !bytes.Equal(answer, want) {
		t.Errorf("INTERNAL AUTHENTICATE: %X; want %X", answer, want)
	}
	send(t, c, fmt.Sprintf("0082000108%X", answer), "6984")
}

// TestReadWithMAC checks the code, and that a challenge and an Le are asked for.
func TestReadWithMAC(t *testing.T) {
	c := mustNew(t)
	p := meter(t, c, 1)
	p.authenticate()
	send(t, c, "04B082000C", "6984")
	p.challenge(4)
	send(t, c, "04B082000D", "6C0C")
	p.challenge(4)
	send(t, c, "04B0820004", "6700")
	challenge := p.challenge(4)
	signed := append(unhex(t, "04B082000C"), make([]byte, 8)...)
	send(t, c, "04B082000C", zeros(8)+fmt.Sprintf("%X9000", p.mac(challenge, signed)))
}

// TestVectors come from OpenSSL 3.0.19 (enc -sm4-ecb and -sm4-cbc, -nopad) for the
// card 000000000000002A and the challenge 01 to 08, or its first half.
func TestVectors(t *testing.T) {
	challenge := unhex(t, "0102030405060708")
	wallet := unhex(t, "04D683000C0000138800000003")
	whole := unhex(t, "04D681001F000102030405060708090A0B0C0D0E0F101112131415161718191A") // 32 bytes: a block of padding
	for _, v := range []struct {
		sam                            card.SAM
		app                            uint16
		cryptogram, four, eight, whole string
	}{
		{card.TestSAM(), card.Power, "b43e1f9f27566f2c", "5a4aef2a", "51f18624", "3773fb98"},
		{card.TestSAM(), card.Water, "910f9bbc44512aa5", "5e70a416", "02ce52b2", "1cf759ad"},
		{card.MeterSAM(), card.Water, "89fc930a74121b55", "aadf0b13", "6e8c3354", "7e372390"},
		{card.MeterSAM(), card.Gas, "3088d90c70364018", "6e21c120", "1bc74b3a", "dd12183a"},
	} {
		got, err := v.sam.Cryptogram(t.Context(), serial, v.app, challenge)
		if err != nil || !bytes.Equal(got, unhex(t, v.cryptogram)) {
			t.Errorf("%04X cryptogram %x, %v; want %s", v.app, got, err, v.cryptogram)
		}
		for _, m := range []struct {
			challenge, message []byte
			want               string
		}{{challenge[:4], wallet, v.four}, {challenge, wallet, v.eight}, {challenge, whole, v.whole}} {
			got, err := v.sam.MAC(t.Context(), serial, v.app, m.challenge, m.message)
			if err != nil || !bytes.Equal(got[:], unhex(t, m.want)) {
				t.Errorf("%04X MAC of %X: %x, %v; want %s", v.app, m.message, got, err, m.want)
			}
		}
	}
}

// TestSAMsRefuse: test keys work for simulated cards and nothing else.
func TestSAMsRefuse(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	eight := make([]byte, 8)
	for _, row := range []struct {
		name      string
		ctx       context.Context
		sam       card.SAM
		card      schemas.CardID
		app       uint16
		challenge []byte
		want      string
	}{
		{"real card", t.Context(), card.TestSAM(), "3100000012345678", card.Power, eight, "not a simulated card"},
		{"real card at a meter", t.Context(), card.MeterSAM(), "0000000112345678", card.Power, eight, "not a simulated card"},
		{"no card", t.Context(), card.TestSAM(), "", card.Power, eight, "16 upper-case"},
		{"lower case", t.Context(), card.TestSAM(), "00000000abcdef01", card.Power, eight, "16 upper-case"},
		{"no application", t.Context(), card.TestSAM(), serial, card.MF, eight, "3F00"},
		{"challenge of 6", t.Context(), card.TestSAM(), serial, card.Power, eight[:6], "6 bytes"},
		{"no keys", t.Context(), card.SAM{}, serial, card.Power, eight, "no keys"},
		{"context", over, card.TestSAM(), serial, card.Power, eight, "context canceled"},
	} {
		_, err := row.sam.MAC(row.ctx, row.card, row.app, row.challenge, make([]byte, 5))
		_, err2 := row.sam.Cryptogram(row.ctx, row.card, row.app, row.challenge)
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: %v; want an error with %q", row.name, err, row.want)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*card.Options){
		"serial of a real card":   func(o *card.Options) { o.Serial = "3100000012345678" },
		"short serial":            func(o *card.Options) { o.Serial = "00000000" },
		"issuer of a real city":   func(o *card.Options) { o.Issuer = "31000001" },
		"short issuer":            func(o *card.Options) { o.Issuer = "0031" },
		"issuer of letters":       func(o *card.Options) { o.Issuer = "00AB0001" },
		"customer of letters":     func(o *card.Options) { o.Customer = "A-17" },
		"customer of 13 digits":   func(o *card.Options) { o.Customer = "1234567890123" },
		"meter of 13 digits":      func(o *card.Options) { o.MeterNumbers[schemas.Water] = "1234567890123" },
		"application of no purse": func(o *card.Options) { o.Applications = []schemas.Medium{"heat"} },
		"application twice":       func(o *card.Options) { o.Applications = []schemas.Medium{schemas.Gas, schemas.Gas} },
	} {
		o := options()
		change(&o)
		if _, err := card.New(o); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

// TestDefaults: crypto/rand, the simulator's issuer, three applications.
func TestDefaults(t *testing.T) {
	c, err := card.New(card.Options{Serial: card.Serial(42)})
	if err != nil {
		t.Fatal(err)
	}
	if c.ID() != serial {
		t.Errorf("serial %s", c.ID())
	}
	for app := range byte(3) {
		terminal(t, c, app+1).authenticate()
	}
	send(t, c, "00A4000C023F00", "9000")
	send(t, c, "00B0810004", "00000000 9000")
}

func TestOneApplication(t *testing.T) {
	o := options()
	o.Applications = []schemas.Medium{schemas.Gas}
	c, err := card.New(o)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "00B0810D01", "04 9000")
	send(t, c, "00A4000002DF01", "6A82")
	terminal(t, c, 3).authenticate()
}

func TestNoChance(t *testing.T) {
	o := options()
	o.Random = iotest.ErrReader(iotest.ErrTimeout)
	c, err := card.New(o)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "0084000008", "6F00")
}

// TestSnapshot puts an old card in place of a new one: files go back, who has
// authenticated is forgotten, the tries left stay.
func TestSnapshot(t *testing.T) {
	c := mustNew(t)
	old := c.Snapshot()
	p := terminal(t, c, 1)
	p.authenticate()
	wantSW(t, "wallet", p.update(2, 0, unhex(t, "0000271000000001")), "9000")
	if c.Snapshot() == old {
		t.Fatal("a write does not show in the snapshot")
	}
	sold := c.Snapshot()
	if err := c.Restore(old); err != nil || c.Snapshot() != old {
		t.Fatalf("restore: %v", err)
	}
	wantFile(t, c, card.Power, 2, "0000000000000000")
	p.enter()
	wantSW(t, "wallet after the restore", p.update(2, 0, unhex(t, "0000271000000001")), "6982")
	if err := c.Restore(sold); err != nil {
		t.Fatal(err)
	}
	wantFile(t, c, card.Power, 2, "0000271000000001")
	o := options()
	o.Serial = card.Serial(7)
	other, err := card.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if other.Restore(old) == nil || other.Restore(card.Snapshot{}) == nil {
		t.Error("a snapshot of another card was taken")
	}
}

func TestStore(t *testing.T) {
	c := mustNew(t)
	data := unhex(t, "0000271000000001")
	if err := c.Store(card.Gas, 3, data); err != nil {
		t.Fatal(err)
	}
	data[0] = 0xFF
	wantFile(t, c, card.Gas, 3, "0000271000000001")
	if c.Store(card.Gas, 3, data[:7]) == nil || c.Store(card.Gas, 9, data) == nil || c.Store(0xDF09, 3, data) == nil {
		t.Error("a file was stored that the card cannot have")
	}
	if _, ok := c.File(0xDF09, 1); ok {
		t.Error("a file of no folder")
	}
}
