package adversary

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// The hub's own codes of refusal [hub/ingest/metrics.go].
const (
	topicBad       seal.Code = "topic_bad"
	topicMismatch  seal.Code = "topic_mismatch"
	schemaBad      seal.Code = "schema"
	nonceReuse     seal.Code = "nonce_reuse"
	late           seal.Code = "late"
	bootConflict   seal.Code = "boot_conflict"
	sessionBlocked seal.Code = "session_blocked"
)

// replays are what came before, again.
func replays(tab *table, c *city, h *hub) *hub {
	s := c.sender("c1")
	once := s.batches(100)
	all := on(readings("c1"), once...)
	c.attack(tab, h, attack{name: "100 envelopes in order", frames: all, honest: 100})
	c.attack(tab, h, attack{name: "replay, same session, three times over", frames: slices.Concat(all, all, all), again: true})
	h.stop()
	h = c.hub()
	c.attack(tab, h, attack{name: "replay after a restart of the hub", frames: all, again: true})
	newer := c.sender("c1")
	c.attack(tab, h, attack{name: "a newer session of the same box", frames: on(readings("c1"), newer.batches(5)...), honest: 5})
	c.attack(tab, h, attack{name: "replay out of an older session that is remembered", frames: all, again: true})
	var many []frame
	for range seal.MaxBoots {
		many = append(many, frame{readings("c1"), c.sender("c1").batch(1)})
	}
	c.attack(tab, h, attack{name: "64 more sessions", frames: many, honest: seal.MaxBoots})
	c.attack(tab, h, attack{name: "replay out of a session that is forgotten", frames: all, codes: []seal.Code{late}})
	return h
}

// reordered are honest envelopes on a way that keeps no order and doubles some.
func reordered(tab *table, c *city, h *hub) {
	s := c.sender("c2")
	once := s.batches(300)
	for _, i := range rand.Perm(150) {
		once = append(once, once[i])
	}
	rand.Shuffle(len(once), func(i, j int) { once[i], once[j] = once[j], once[i] })
	c.attack(tab, h, attack{name: "300 envelopes in any order, half of them twice", frames: on(readings("c2"), once...), honest: 300})
}

// changed are envelopes that somebody on the way has changed.
func changed(tab *table, c *city, h *hub) {
	e := c.sender("c1").batch(1)
	var flips, cuts, longer [][]byte
	for i := range len(e) * 8 {
		f := clone(e)
		f[i/8] ^= 1 << (i % 8)
		flips = append(flips, f)
	}
	for n := range e {
		cuts = append(cuts, e[:n])
	}
	for n := range 256 {
		longer = append(longer, append(clone(e), make([]byte, n+1)...))
	}
	for _, n := range []int{seal.MaxPlaintext + 17, 600_000, 800_000, 1_000_000 - 200} {
		f := clone(e[:bytes.IndexByte(e, 0xa0)+1]) // the first A0 that can follow the header
		f = binary.BigEndian.AppendUint32(append(f, 0x5a), uint32(n))
		longer = append(longer, append(f, make([]byte, n)...))
	}
	t1 := readings("c1")
	c.attack(tab, h, attack{name: "every single bit of an envelope turned", frames: on(t1, flips...)})
	c.attack(tab, h, attack{name: "an envelope cut at every length", frames: on(t1, cuts...), codes: []seal.Code{seal.FrameBad}})
	c.attack(tab, h, attack{name: "bytes added, up to 1 MB", frames: on(t1, longer...), codes: []seal.Code{seal.FrameBad}})
	c.attack(tab, h, attack{name: "the envelope that was changed, as it was", frames: on(t1, e), honest: 1})
}

// strangers are envelopes of the one in the place of the other.
func strangers(tab *table, c *city, h *hub) {
	var own, kid, elsewhere []frame
	s, forger := c.sender("c1"), c.sender("c2", c.keyOf("c1"))
	for _, st := range []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events, schemas.Statuses} {
		for _, id := range []schemas.CollectorID{"c2", "c3", "c9"} {
			own = append(own, frame{topic(id, st), s.batch(1)})
		}
		kid = append(kid, frame{topic("c2", st), forger.batch(1)}, frame{topic("c1", st), forger.batch(1)})
		elsewhere = append(elsewhere, frame{schemas.Topic{Area: "310116", Collector: "c1", Stream: st}.String(), s.batch(1)})
		if st != schemas.Readings {
			elsewhere = append(elsewhere, frame{topic("c1", st), s.batch(1)})
		}
	}
	c.attack(tab, h, attack{name: "own key and kid on the topics of others", frames: own, codes: []seal.Code{topicMismatch}})
	c.attack(tab, h, attack{name: "own key under the kid of another", frames: kid, codes: []seal.Code{seal.TagWrong}})
	c.attack(tab, h, attack{name: "own envelope in another area or stream", frames: elsewhere, codes: []seal.Code{topicMismatch}})
	inner := c.sender("c1")
	var of [][]byte
	for _, b := range []*schemas.Batch{batchOf("c2", area, 1, 1), batchOf("c1", "310116", 1, 1)} {
		of = append(of, inner.seal(encode(tab.t, b)))
	}
	c.attack(tab, h, attack{name: "readings of another inside an own envelope", frames: on(readings("c1"), of...), codes: []seal.Code{schemaBad}, answered: true})
	tenants := c.sender("c1", func(o *seal.SealerConfig) { o.Tenant = "other" })
	c.attack(tab, h, attack{name: "sealed for another city", frames: on(readings("c1"), tenants.batches(20)...), codes: []seal.Code{seal.TagWrong}})
}

// withAlg returns the envelope with another algorithm in its header.
func withAlg(e, alg []byte) []byte {
	header := slices.Concat(e[4:6], alg, e[11:4+int(e[3])])
	return slices.Concat(e[:2], []byte{0x58, byte(len(header))}, header, e[4+int(e[3]):])
}

// downgrades ask for another cipher, another content or another direction.
func downgrades(tab *table, c *city, h *hub) {
	e := c.sender("c1").batch(1)
	var suites, kinds [][]byte
	for n := range 24 {
		suites = append(suites, withAlg(e, []byte{byte(n)}), withAlg(e, []byte{0x20 | byte(n)}), withAlg(e, []byte{0x18, 24 + byte(n)}), withAlg(e, []byte{0x3a, 0, 1, 0x0d, byte(n)}))
	}
	c.attack(tab, h, attack{name: "downgrade: AES-GCM, ChaCha20, none and 93 other suites", frames: on(readings("c1"), suites...), codes: []seal.Code{seal.SuiteUnknown}})
	at := bytes.Index(e, []byte{0x19, 0xfd, 0xe9}) + 2
	for n := range 256 {
		if f := clone(e); byte(n) != f[at] {
			f[at] = byte(n)
			kinds = append(kinds, f)
		}
	}
	c.attack(tab, h, attack{name: "every other content type in the header", frames: on(readings("c1"), kinds...)})
	down := c.sender("c1", content(seal.Receipt))
	command := c.sender("c1", content(seal.Command))
	turned := on(readings("c1"), down.batch(1), command.batch(1))
	c.drain()
	c.publish(c.evil, on(readings("c1"), e))
	for m := receive(tab.t, "a true receipt", c.receipts); ; m = receive(tab.t, "a true receipt", c.receipts) {
		if m.Topic == topic("c1", schemas.Receipts) {
			turned = append(turned, frame{readings("c1"), m.Payload}, frame{topic("c1", schemas.Statuses), m.Payload})
			break
		}
	}
	c.attack(tab, h, attack{name: "what travels down, sent up: receipts, commands, a true one turned round", frames: turned, codes: []seal.Code{seal.FrameBad}})
}

// twins are two boxes, or one box twice, under one key.
func twins(tab *table, c *city, h *hub) {
	one := c.sender("c3")
	twin := c.sender("c3", inContext(one.Context()))
	c.attack(tab, h, attack{name: "a session", frames: on(readings("c3"), one.batches(20)...), honest: 20})
	for range 20 {
		twin.value += 1000
		twin.batch(1)
	}
	twin = c.sender("c3", inContext(one.Context()))
	twin.value = 5000
	c.attack(tab, h, attack{name: "nonces of that session with other content, and what follows them", frames: on(readings("c3"), twin.batches(40)...), codes: []seal.Code{nonceReuse, sessionBlocked}})
	c.attack(tab, h, attack{name: "the rest of the blocked session", frames: on(readings("c3"), one.batches(20)...), codes: []seal.Code{sessionBlocked}})
	after := c.sender("c3")
	c.attack(tab, h, attack{name: "a new session of the box after the blockade", frames: on(readings("c3"), after.batches(20)...), honest: 20})
	cloned := c.sender("c3", boot(after.Context().Boot))
	c.attack(tab, h, attack{name: "a cloned box, or one with an older disk, under the boot number in use", frames: on(readings("c3"), cloned.batches(50)...), codes: []seal.Code{bootConflict}})
	long := c.sender("c3", boot(after.Context().Boot+1))
	c.attack(tab, h, attack{name: "a session of 300", frames: on(readings("c3"), long.batches(300)...), honest: 300})
	resumed := c.sender("c3", inContext(long.Context()))
	resumed.value = 9000
	before, points := h.Counters(), h.store.points.Load()
	c.publish(c.evil, on(readings("c3"), resumed.batch(1)))
	c.settle(h, before, 1)
	tab.add(row{name: "the box resumed from a snapshot 300 numbers old: stored, not only confirmed", tries: 1,
		accepted: uint64(h.store.points.Load()-points) - 1, counted: h.Counters().Duplicates - before.Duplicates, control: true})
}

// keysOutOfUse are envelopes that are well sealed, under keys in every state.
func keysOutOfUse(tab *table, c *city, h *hub) {
	for _, k := range []struct {
		name       string
		generation uint16
		code       seal.Code
	}{
		{"a key whose time to decrypt is over", expired, seal.GenerationRetired},
		{"a destroyed key", destroyed, seal.GenerationRetired},
		{"a generation that the list does not name", unnamed, seal.GenerationRetired},
		{"a key of a destroyed master key", masterGone, seal.GenerationRetired},
		{"a key version that is not issued yet", future, seal.GenerationUnknown},
		{"a key of a master key to come", futureMaster, seal.GenerationUnknown},
	} {
		frames := on(readings("c1"), c.sender("c1", generation(k.generation)).batches(50)...)
		c.attack(tab, h, attack{name: k.name, frames: frames, codes: []seal.Code{k.code}})
	}
	c.attack(tab, h, attack{name: "a rotated key within its time", frames: on(readings("c1"), c.sender("c1", generation(onItsWay)).batches(50)...), honest: 50})
	for _, id := range []schemas.CollectorID{"c8", "c7"} {
		var frames []frame
		for _, st := range []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events, schemas.Statuses} {
			s := c.sender(id, func(o *seal.SealerConfig) { o.ContentType, _ = seal.ContentTypeOf(st) })
			frames = append(frames, on(topic(id, st), s.batches(20)...)...)
		}
		frames = append(frames, frame{topic(id, schemas.Online), []byte("1")})
		c.attack(tab, h, attack{name: map[schemas.CollectorID]string{"c8": "all streams of a revoked collector", "c7": "all streams of one that was never enrolled"}[id], frames: frames, codes: []seal.Code{seal.DeviceUnknown}})
	}
}

// shows are statuses and the flag of the lamp.
func shows(tab *table, c *city, h *hub) {
	status := func(of schemas.CollectorID, a schemas.AreaCode) []byte {
		plain, err := schemas.EncodeStatus(nil, &schemas.Status{Collector: of, Area: a, At: moment(), StartedAt: moment(), Version: "v1"})
		noError(tab.t, err)
		return plain
	}
	own := c.sender("c1", content(seal.Status))
	at := topic("c1", schemas.Statuses)
	c.attack(tab, h, attack{name: "a status of another, and of another area, under the own key", frames: on(at, own.seal(status("c2", area)), own.seal(status("c1", "310116"))), codes: []seal.Code{schemaBad}})
	forged := c.sender("c2", content(seal.Status), c.keyOf("c1"))
	c.attack(tab, h, attack{name: "a forged status on the topic of another", frames: on(topic("c2", schemas.Statuses), forged.seal(status("c2", area))), codes: []seal.Code{seal.TagWrong}})
	var online []frame
	for _, p := range []string{"", "2", "on", "1\x00", "01", " 1", "true"} {
		online = append(online, frame{topic("c1", schemas.Online), []byte(p)})
	}
	online = append(online, frame{schemas.Topic{Area: "310116", Collector: "c1", Stream: schemas.Online}.String(), []byte("1")})
	c.attack(tab, h, attack{name: "online flags that are none, or of another area", frames: online, codes: []seal.Code{schemaBad, topicMismatch}})
}

// garbage is anything at all.
func garbage(tab *table, c *city, h *hub) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	e := c.sender("c1").batch(1)
	var random, dressed, mixed []frame
	for range 1000 {
		random = append(random, frame{readings("c1"), noise(r.IntN(2000))})
		f := clone(e)
		copy(f[len(f)-16-r.IntN(40):], noise(56))
		dressed = append(dressed, frame{readings("c1"), f})
		f = clone(e)
		for range 1 + r.IntN(8) {
			f[r.IntN(len(f))] = byte(r.Uint32())
		}
		if !bytes.Equal(f, e) {
			mixed = append(mixed, frame{readings("c1"), f})
		}
	}
	c.attack(tab, h, attack{name: "random bytes", frames: random, codes: []seal.Code{seal.FrameBad}})
	c.attack(tab, h, attack{name: "a true header before random ciphertext", frames: dressed, codes: []seal.Code{seal.TagWrong}})
	c.attack(tab, h, attack{name: "up to eight bytes of an envelope replaced", frames: mixed})
}

// malformed are envelopes of the collector's own, true key whose content is none.
func malformed(tab *table, c *city, h *hub) {
	plain := encode(tab.t, batchOf("c1", area, 2, 1))
	s := c.sender("c1")
	var cut, times [][]byte
	for n := range plain {
		cut = append(cut, s.seal(plain[:n]))
	}
	cut = append(cut, s.seal(append(clone(plain), 0)), s.seal(make([]byte, seal.MaxPlaintext)), s.seal(bytes.Repeat([]byte{0x9f}, 10_000)), s.seal(bytes.Repeat([]byte{0x81}, 100_000)))
	c.attack(tab, h, attack{name: "sealed well: a batch cut at every length, 512 KiB of zeros, deep nesting", frames: on(readings("c1"), cut...), codes: []seal.Code{schemaBad}, answered: true})
	at := bytes.Index(plain, milliseconds(moment()))
	for _, t := range []uint64{0, 1, 1 << 31, 1 << 43, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1, ms(1999), ms(2201), ms(9999)} {
		for _, head := range []byte{0x1b, 0x3b} { // unsigned, negative
			f := clone(plain)
			binary.BigEndian.PutUint64(f[at:], t)
			f[at-1] = head
			times = append(times, s.seal(f))
		}
	}
	c.attack(tab, h, attack{name: "sealed well: times before 2000, after 2199 and beyond any calendar", frames: on(readings("c1"), times...), codes: []seal.Code{schemaBad}, answered: true})
	newer := clone(plain)
	newer[2] = 2
	c.attack(tab, h, attack{name: "sealed well: of a contract to come (stays with its collector)", frames: on(readings("c1"), s.seal(newer)), codes: []seal.Code{schemaBad}})
	old, soon := batchOf("c1", area, 1, 7), batchOf("c1", area, 1, 8)
	old.Readings[0].TakenAt, soon.Readings[0].TakenAt = time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
	c.attack(tab, h, attack{name: "readings of 2000 and 2199 (within the contract)", frames: on(readings("c1"), s.seal(encode(tab.t, old)), s.seal(encode(tab.t, soon))), honest: 2})
}

func ms(year int) uint64 { return uint64(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()) }

func milliseconds(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()))
}
