package prepaid

import (
	"context"
	"testing"

	"citygrid/schemas"
	"citygrid/simulators/card"
)

// script is a card that says whatever it likes.
type script struct{ said []byte }

func (s *script) Reset() []byte { return []byte{0x3B, 0x00} }

// Transmit returns as many bytes as the next one says.
func (s *script) Transmit([]byte) []byte {
	if len(s.said) == 0 {
		return nil
	}
	n := min(int(s.said[0]), len(s.said)-1)
	answer := s.said[1 : 1+n]
	s.said = s.said[1+n:]
	return answer
}

// obliging is a security module for which every card is genuine.
type obliging struct{}

func (obliging) MAC(context.Context, schemas.CardID, uint16, []byte, []byte) (mac [4]byte, err error) {
	return mac, nil
}

func (obliging) Cryptogram(context.Context, schemas.CardID, uint16, []byte) ([]byte, error) {
	return make([]byte, 8), nil
}

// said packs answers for script, each with 9000 behind it.
func said(answers ...[]byte) (out []byte) {
	for _, a := range answers {
		out = append(append(append(out, byte(len(a)+2)), a...), 0x90, 0x00)
	}
	return out
}

// FuzzInsert: whatever a card says, the meter stays whole, and takes at most one
// purchase, the next one.
func FuzzInsert(f *testing.F) {
	for _, medium := range []schemas.Medium{schemas.Power, schemas.Water} {
		c := mustCard(f, 1)
		sell(f, c, medium, OpenCard, 1, 100_00)
		k := kindOf(medium)
		file := func(sfi byte) []byte { b, _ := c.File(k.folder, sfi); return append(b, 0, 0, 0, 0) }
		serial, _ := c.File(card.MF, 0x19)
		challenge := make([]byte, 8)
		f.Add(medium == schemas.Power, said(nil, serial[1:], nil, challenge, challenge, nil,
			challenge[:4], file(k.order), challenge[:4], file(k.wallet), challenge[:4], file(k.returnFile), challenge[:4], nil, challenge[:4], nil))
	}
	f.Fuzz(func(t *testing.T, power bool, answers []byte) {
		config := powerConfig()
		if !power {
			config.Utility = schemas.Water
		}
		m := mustMeter(t, config)
		out := m.Insert(context.Background(), &script{answers}, obliging{}, start)
		s := m.State()
		foots(t, &s)
		if out.Loaded != (s.Count == 1) || s.Count > 1 || len(s.Records) != int(s.Count) || (out.Fault == 0) != (out.Err == nil) {
			t.Fatalf("%+v, %+v", out, s)
		}
	})
}
