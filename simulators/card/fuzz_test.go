package card_test

import (
	"bytes"
	"testing"

	"citygrid/simulators/card"
)

// join packs commands for FuzzTransmit: each with its length before it.
func join(commands ...[]byte) []byte {
	var all []byte
	for _, c := range commands {
		all = append(append(all, byte(len(c))), c...)
	}
	return all
}

// saleSeed records a sale on a card whose challenges are known, so that the fuzzer
// begins with commands that are accepted.
func saleSeed(t testing.TB) []byte {
	c := mustNew(t)
	p := terminal(t, c, 1)
	challenge := p.challenge(8)
	cryptogram := sm4(t, p.cardKey(), append(bytes.Clone(challenge), make([]byte, 8)...))[:8]
	update := unhex(t, "04D682000C0000271000000001")
	return join(
		unhex(t, "00A4000C02DF01"), unhex(t, "0084000008"),
		append(unhex(t, "0082000108"), cryptogram...), unhex(t, "0084000004"),
		append(update, p.mac([]byte{8, 9, 10, 11}, update)...), unhex(t, "00B0820008"))
}

// TestSaleSeed keeps the seed worth its name.
func TestSaleSeed(t *testing.T) {
	c := mustNew(t)
	for rest := saleSeed(t); len(rest) > 0; rest = rest[1+rest[0]:] {
		if answer := c.Transmit(rest[1 : 1+rest[0]]); !bytes.HasSuffix(answer, []byte{0x90, 0x00}) {
			t.Fatalf("%X: %X", rest[1:1+rest[0]], answer)
		}
	}
	wantFile(t, c, card.Power, 2, "0000271000000001")
}

// FuzzTransmit sends any commands. Every one has an answer of a legal length; only
// an UPDATE BINARY with MAC that ends in 9000 may change a file; the input stays
// as it was.
func FuzzTransmit(f *testing.F) {
	f.Add(saleSeed(f))
	f.Add(join(unhex(f, "00A4000002DF02"), unhex(f, "00C0000005"), unhex(f, "00C000000E")))
	f.Add(join(unhex(f, "0084000008"), unhex(f, "00880001080001020304050607"), unhex(f, "04B082000C"), unhex(f, "00D682000100")))
	f.Add(join(nil, []byte{0}, unhex(f, "00A40000"), unhex(f, "FFCA000000"), unhex(f, "00A4000002"), unhex(f, "00B0000000")))
	f.Fuzz(func(t *testing.T, commands []byte) {
		c := mustNew(t)
		for len(commands) > 0 {
			n := min(int(commands[0]), len(commands)-1)
			command, kept := commands[1:1+n], bytes.Clone(commands[1:1+n])
			commands = commands[1+n:]
			before := c.Snapshot()
			answer := c.Transmit(command)
			if len(answer) < 2 || len(answer) > 258 || answer[len(answer)-2]>>4 != 6 && !bytes.HasSuffix(answer, []byte{0x90, 0x00}) {
				t.Fatalf("%X: answer %X", command, answer)
			}
			if !bytes.Equal(command, kept) {
				t.Fatalf("%X became %X", kept, command)
			}
			written := bytes.Equal(answer, []byte{0x90, 0x00}) && command[0] == 0x04 && command[1] == 0xD6
			if c.Snapshot() != before && !written {
				t.Fatalf("%X: answer %X, and the files have changed", command, answer)
			}
		}
	})
}
