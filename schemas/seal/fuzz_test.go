package seal

import (
	"bytes"
	"errors"
	"testing"

	"citygrid/internal/cbor"
)

// FuzzProviders holds the two implementations against each other.
func FuzzProviders(f *testing.F) {
	f.Add(make([]byte, 16), bytes.Repeat([]byte{0xff}, 12), []byte("plain"), []byte("aad"))
	f.Add([]byte("0123456789abcdef"), make([]byte, 12), bytes.Repeat([]byte{1}, 300), []byte{})
	f.Fuzz(func(t *testing.T, key, nonce, plain, aad []byte) {
		key, nonce = fit(key, keySize), fit(nonce, nonceSize)
		one, two := mustAEAD(t, emmansun{}, key), mustAEAD(t, tjfoc{}, key)
		sealed := one.Seal(nil, nonce, plain, aad)
		if other := two.Seal(nil, nonce, plain, aad); !bytes.Equal(sealed, other) {
			t.Fatalf("sealed differently:\n%x\n%x", sealed, other)
		}
		a, errA := one.Open(nil, nonce, sealed, aad)
		b, errB := two.Open(nil, nonce, sealed, aad)
		if errA != nil || errB != nil || !bytes.Equal(a, plain) || !bytes.Equal(b, plain) {
			t.Fatalf("opened differently: %v, %v", errA, errB)
		}
		h, g := emmansun{}.NewHash(), tjfoc{}.NewHash()
		h.Write(plain)
		g.Write(plain)
		if !bytes.Equal(h.Sum(aad), g.Sum(aad)) {
			t.Fatal("hashed differently")
		}
	})
}

func fit(b []byte, n int) []byte { return append(bytes.Clone(b), make([]byte, n)...)[:n] }

// FuzzParseHeader: what is accepted must be exactly what a Sealer writes.
func FuzzParseHeader(f *testing.F) {
	for _, v := range loadEnvelopes(f) {
		f.Add([]byte(v.Envelope))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != FrameBad && e.Code != SuiteUnknown {
				t.Fatalf("error without its code: %v", err)
			}
			return
		}
		frame, err := parseFrame(data)
		if err != nil {
			t.Fatal(err)
		}
		id := sessionID{h.Generation, h.ContentType, h.Collector, h.Context}
		again := cbor.AppendBytes([]byte(framePrefix), appendProtected(nil, &id, h.Seq))
		again = cbor.AppendBytes(append(again, noUnprotected...), frame.sealed)
		if !bytes.Equal(again, data) {
			t.Fatalf("accepted a second form:\n got %x\nwant %x", data, again)
		}
	})
}

func FuzzOpen(f *testing.F) {
	s := mustSealer(f, nil)
	good := map[string]bool{}
	for _, plain := range []string{"", "a reading", string(make([]byte, 300))} {
		e := mustSeal(f, s, plain)
		good[string(e)] = true
		f.Add(e)
	}
	for _, v := range loadEnvelopes(f) {
		f.Add([]byte(v.Envelope))
	}
	o := mustOpener(f, func(c *OpenerConfig) { c.CrossCheckEvery = 1 })
	f.Fuzz(func(t *testing.T, data []byte) {
		_, plain, err := o.Open(nil, data)
		var e *Error
		if err == nil && !good[string(data)] {
			t.Fatalf("opened what was never sealed: %q", plain)
		} else if err != nil && (plain != nil || !errors.As(err, &e) || e.Code == ProviderMismatch) {
			t.Fatalf("plaintext %q, error %v", plain, err)
		}
	})
}

func FuzzTrackerUnmarshal(f *testing.F) {
	tr := &Tracker{}
	for i := range uint32(20) {
		tr.Commit(ctxOf(i/7, 1), i*i, tagOf(byte(i)))
		stored, _ := tr.MarshalBinary()
		f.Add(stored[len(trackerMagic) : len(stored)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := withChecksum(body)
		var back Tracker
		if err := back.UnmarshalBinary(data); err != nil {
			wantCode(t, err, FileBad)
			return
		}
		again, err := back.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted a second form (%v):\n got %x\nwant %x", err, data, again)
		}
		exerciseTracker(t, &back)
	})
}

// withChecksum lets the fuzzer past the checksum, which it cannot guess.
func withChecksum(body []byte) []byte {
	empty, _ := (&Tracker{}).MarshalBinary()
	data := append(bytes.Clone(empty[:len(trackerMagic)]), body...)
	return appendChecksum(data)
}

// exerciseTracker holds what every valid state promises: what is committed is
// known afterwards, and the state can be stored.
func exerciseTracker(t *testing.T, tr *Tracker) {
	t.Helper()
	tr.Gaps()
	for _, ctx := range []Context{ctxOf(0, 1), ctxOf(1, 1), ctxOf(1<<31, 9)} {
		for _, seq := range []uint32{0, 1, 7, 1<<32 - 1} {
			if tr.Commit(ctx, seq, tagOf(1)) == New && tr.Check(ctx, seq, tagOf(1)) != Duplicate {
				t.Fatalf("%v message %d was committed and is not known", ctx, seq)
			}
		}
	}
	reload(t, tr)
}

// FuzzTracker feeds a message a byte triple and compares with the map.
func FuzzTracker(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x01\x00\x00\x03\x00\x00\x02\x00\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		tr, model := &Tracker{}, newNaive()
		for ; len(ops) >= 3 && len(model.accepted) < MaxBoots; ops = ops[3:] {
			ctx, tag := ctxOf(uint32(ops[0]&63), ops[0]>>7), tagOf(ops[2])
			if len(model.accepted[ctx.Boot]) >= MaxTags {
				break // beyond it a Tracker no longer knows every tag
			}
			if got, want := tr.Commit(ctx, uint32(ops[1]), tag), model.commit(ctx, uint32(ops[1]), tag); got != want {
				t.Fatalf("%v message %d: %s, want %s", ctx, ops[1], got, want)
			}
		}
		if got, want := len(single(tr.Gaps())), len(model.gaps()); got != want {
			t.Fatalf("%d missing, want %d", got, want)
		}
		reload(t, tr)
	})
}

func FuzzParseBundle(f *testing.F) {
	b := mustIssue(f)
	data, err := b.MarshalFile()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBundle(data)
		if err != nil {
			wantCode(t, err, FileBad)
			return
		}
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		file, err := b.MarshalFile()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseBundle(file)
		if err != nil || !again.Key.Equal(b.Key.Secret) || !again.BrokerPassword.Equal(b.BrokerPassword) {
			t.Fatalf("does not read what it writes: %v", err)
		}
	})
}

func FuzzParseMaster(f *testing.F) {
	var file masterFile
	loadJSON(f, "master-key.json", &file)
	f.Add([]byte(`{"format":"citygrid master key","version":1,"tenant":"t","generation":1,"kdf":"PBKDF2-HMAC-SM3","rounds":600000,"salt":"","sealed":"","sm3":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseMaster(data, MinRounds); err != nil {
			wantCode(t, err, FileBad)
		} else if m.Rounds < MinRounds || m.Generation == 0 {
			t.Fatalf("accepted %+v", m)
		}
	})
}
