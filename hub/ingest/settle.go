package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const (
	// settleEvery bounds how long a stored batch waits for its receipt; what
	// comes in that time shares one write of the replay state.
	settleEvery = 50 * time.Millisecond
	// settleMost bounds the deliveries of one settlement.
	settleMost = 1000
	// saveRetry is the pause after the replay state could not be written.
	saveRetry = time.Second
)

// Run settles what the stores have taken, until ctx is done: it remembers the
// envelopes durably, sends the receipts and lets the broker forget them. It also
// carries card entries and component events to their stores. It may be called once.
func (r *Receiver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.cards.run(ctx)() // after cancel and stopped, which end it
	defer r.events.run(ctx)()
	defer r.slots.run(ctx)()
	defer close(r.stopped)
	defer cancel()
	for {
		group, err := r.gather(ctx)
		if err != nil {
			return err
		}
		if err := r.remember(ctx, group); err != nil {
			return err
		}
		r.finish(ctx, group)
	}
}

// remember returns when the group is on disk, however long that takes, or with
// ctx.
func (r *Receiver) remember(ctx context.Context, group []*delivery) error {
	for {
		err := r.keepRejected(group)
		if err == nil {
			err = r.replay.commit(group)
		}
		if err == nil {
			return nil
		}
		r.metrics.saveFailures.Inc()
		r.log.Error("the hub's state is not on disk; no receipts until it is. Make room or mend the disk", "error", err)
		pause := time.NewTimer(saveRetry)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// keepRejected writes the envelopes that the store does not hold, or not
// whole, to the file of rejected ones. Where that is full they become dead
// letters like any other and get no receipt, so that their collector keeps
// them.
func (r *Receiver) keepRejected(group []*delivery) error {
	var rejected []*delivery
	for _, d := range group {
		if d.rejected != nil && !d.kept {
			rejected = append(rejected, d)
		}
	}
	if len(rejected) == 0 {
		return nil
	}
	found, err := r.rejected.keep(r.o.Now(), rejected)
	if err != nil {
		return err
	}
	for i, d := range rejected {
		if d.kept, d.withheld = found[i], !found[i]; d.kept {
			r.tellRejected(d)
		}
	}
	for _, d := range rejected {
		if !d.withheld {
			continue
		}
		if err := r.dead.add(r.o.Now(), d.message, d.code, errors.Join(d.rejected, fmt.Errorf("%s: %w", r.rejected.path, errLettersFull))); err != nil {
			return err
		}
		d.kept = true
		r.metrics.withheld.Inc()
		r.tellRejected(d)
	}
	return nil
}

// tellRejected counts a rejected envelope and says it.
func (r *Receiver) tellRejected(d *delivery) {
	r.metrics.refused(d.code).Inc()
	r.noteRefused(d.message, d.code)
	path := r.rejected.path
	if d.withheld {
		path = r.dead.path
	}
	if r.dead.loud(d.code, r.o.Now()) {
		r.log.Warn("envelope can not be stored and is kept as a letter", "code", d.code, "file", path,
			"collector", d.key.collector, "receipt", !d.withheld, "reason", d.rejected)
	}
}

// gather waits for one settled delivery and takes what else comes within
// settleEvery.
func (r *Receiver) gather(ctx context.Context) (group []*delivery, err error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case d := <-r.settled:
		group = append(group, d)
	}
	timer := time.NewTimer(settleEvery)
	defer timer.Stop()
	for len(group) < settleMost {
		select {
		case d := <-r.settled:
			group = append(group, d)
		case <-timer.C:
			return group, nil
		case <-ctx.Done():
			return group, nil
		}
	}
	return group, nil
}

// finish tells the observers, sends the receipts and acknowledges. The group is
// remembered, so it is no longer pending: a copy that comes from here on asks
// for a receipt of its own, as this one may be on its way already.
func (r *Receiver) finish(ctx context.Context, group []*delivery) {
	var acks []mqttlink.Message
	for _, d := range group {
		acks = append(append(acks, d.message), r.forget(d)...)
		if !d.again && d.rejected == nil {
			r.stored(d)
		}
	}
	if conn := r.conn.Load(); conn != nil {
		r.sendReceipts(ctx, conn, group)
	}
	for _, m := range acks {
		m.Ack()
	}
}

// stored counts what is in the store and tells the observer of readings.
func (r *Receiver) stored(d *delivery) {
	if beside := r.courier(d.key.stream); beside != nil {
		beside.stored.Add(float64(len(d.cards) + len(d.events))) // of which it has one
		return
	}
	if n := len(d.accounts); n > 0 {
		r.slots.stored.Add(float64(n))
	}
	if !d.repeated {
		r.metrics.points.Add(float64(len(d.readings)))
		r.metrics.latency.observe(d.readings, d.storedAt)
	}
	if r.accounts != nil {
		r.accounts.StoredFrom(d.key.collector, d.readings, d.storedAt)
		return
	}
	r.o.Observer.Stored(d.readings, d.storedAt)
}

// sendReceipts seals and publishes one receipt a session. A receipt that is
// lost is asked for again by the collector's resending.
func (r *Receiver) sendReceipts(ctx context.Context, conn *mqttlink.Conn, group []*delivery) {
	for _, receipt := range receiptsFor(group) {
		envelope, err := r.sealers.seal(receipt.Receipt)
		if err != nil {
			r.log.Error("a receipt could not be sealed", "collector", receipt.Collector, "error", err)
			continue
		}
		topic := schemas.Topic{Area: receipt.area, Collector: receipt.Collector, Stream: schemas.Receipts}
		r.metrics.receipts.Add(float64(receipt.envelopes))
		conn.Publish(ctx, topic.String(), envelope, false)
	}
}

// addressed is a receipt and where it goes.
type addressed struct {
	schemas.Receipt
	area      schemas.AreaCode
	envelopes int
}

// receiptsFor makes the fewest receipts that name every delivery of the group.
func receiptsFor(group []*delivery) (receipts []addressed) {
	type session struct {
		collector schemas.CollectorID
		area      schemas.AreaCode
		context   seal.Context
	}
	numbers := make(map[session][]uint32)
	var order []session
	for _, d := range group {
		if d.withheld {
			continue
		}
		s := session{d.key.collector, d.area, d.key.context}
		if _, ok := numbers[s]; !ok {
			order = append(order, s)
		}
		numbers[s] = append(numbers[s], d.key.seq)
	}
	for _, s := range order {
		for spans := range slices.Chunk(ranges(numbers[s]), schemas.MaxSeqRanges) {
			a := addressed{area: s.area, Receipt: schemas.Receipt{
				Collector: s.collector, Boot: s.context.Boot, Random: s.context.Random, Stored: spans,
			}}
			for _, span := range spans {
				a.envelopes += int(span.To-span.From) + 1
			}
			receipts = append(receipts, a)
		}
	}
	return receipts
}

// ranges returns the numbers as ascending ranges that do not touch.
func ranges(numbers []uint32) (spans []schemas.SeqRange) {
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		if last := len(spans) - 1; last >= 0 && spans[last].To+1 == n {
			spans[last].To = n
		} else {
			spans = append(spans, schemas.SeqRange{From: n, To: n})
		}
	}
	return spans
}

// maxReceiptSealers bounds the sessions that the hub keeps open towards
// collectors. One that is put out is opened anew when it is wanted.
const maxReceiptSealers = 10_000

// receiptSealers seals receipts, with a session of its own for each collector.
// Except for spoken it is used by Run alone.
type receiptSealers struct {
	spoken spoken
	o      Options
	boot   uint32
	known  map[schemas.CollectorID]receiptSealer
	// content is what is sealed: receipts, unless it is set.
	content seal.ContentType
}

// receiptSealer is an open session and the key generation that it uses.
type receiptSealer struct {
	*seal.Sealer
	generation uint16
}

func newReceiptSealers(o Options) *receiptSealers {
	return &receiptSealers{o: o, boot: uint32(o.Now().Unix()), content: seal.Receipt, known: make(map[schemas.CollectorID]receiptSealer)}
}

func (s *receiptSealers) seal(r schemas.Receipt) ([]byte, error) {
	plain, err := schemas.EncodeReceipt(nil, &r)
	if err != nil {
		return nil, err
	}
	return s.sealPlain(r.Collector, plain)
}

// sealPlain seals a message towards a collector.
func (s *receiptSealers) sealPlain(id schemas.CollectorID, plain []byte) ([]byte, error) {
	sealer, err := s.sealer(id)
	if err != nil {
		return nil, err
	}
	envelope, _, err := sealer.Seal(nil, plain)
	if err != nil {
		delete(s.known, id) // used up: the next message opens a new session
	}
	return envelope, err
}

// sealer returns the open session towards a collector, or opens one under the
// key generation that it speaks.
func (s *receiptSealers) sealer(id schemas.CollectorID) (*seal.Sealer, error) {
	_, generation, ok := s.o.Enrolled(id)
	if !ok {
		return nil, fmt.Errorf("collector %s is no longer enrolled", id)
	}
	if speaks := s.spoken.of(id, generation); s.o.admitted(speaks, string(id)) == nil {
		generation = speaks
	}
	if known, ok := s.known[id]; ok && known.generation == generation {
		return known.Sealer, nil
	}
	key, err := s.o.Master.CollectorKey(s.o.Provider, generation, string(id))
	if err != nil {
		return nil, err
	}
	context, err := seal.NewContext(s.boot, s.o.Random)
	if err != nil {
		return nil, err
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{
		Provider: s.o.Provider, Key: key, Tenant: s.o.Tenant, Collector: string(id), Generation: generation,
		Role: seal.Down, ContentType: s.content, Context: context,
	})
	if err != nil {
		return nil, err
	}
	if len(s.known) >= maxReceiptSealers {
		clear(s.known)
	}
	s.known[id] = receiptSealer{sealer, generation}
	return sealer, nil
}
