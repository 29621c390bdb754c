package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// publisher is the collector's end of the link to the broker: the outboxes of
// its streams send on it, the hub's receipts come in and are shown to each, and
// it says how the collector is.
//
//	outbox (readings) --+--> Conn.Publish
//	outbox (cards) -----+
//	outbox (events) ----+
//	Conn.Messages -> receipt -> the outbox that sent what it names
//
// A receipt names the session that sealed the envelopes, and no two sessions
// have one name; so it need not say of which stream it is.
type publisher struct {
	id      schemas.CollectorID
	area    schemas.AreaCode
	opener  *seal.Opener // opens what the hub seals for this collector
	status  func() ([]byte, error)
	metrics *metrics
	log     *slog.Logger
	// statusEvery is the time between two status messages.
	statusEvery time.Duration

	// refills takes the hub's commands; nil: nobody does.
	refills *refillDesk

	readings, cards, events *outbox
	connected               atomic.Bool
}

// outboxes are those of all streams.
func (p *publisher) outboxes() []*outbox { return []*outbox{p.readings, p.cards, p.events} }

const (
	defaultStatusEvery = 5 * time.Second
	// farewell bounds the wait for the broker to take the last word.
	farewell = time.Second
)

func (p *publisher) topic(s schemas.Stream) string {
	return schemas.Topic{Area: p.area, Collector: p.id, Stream: s}.String()
}

// session works on one connection until it is lost or ctx is done.
func (p *publisher) session(ctx context.Context, conn *mqttlink.Conn) error {
	p.metrics.sessions.Inc()
	p.connected.Store(true)
	defer p.connected.Store(false)
	conn.Publish(ctx, p.topic(schemas.Online), []byte("1"), true)
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return p.receive(work, conn) })
	for _, o := range p.outboxes() {
		g.Go(func() error { return o.send(work, conn) })
	}
	g.Go(func() error { return p.tell(work, conn) })
	err := g.Wait()
	// A broker publishes the will only for a link that breaks [MQTT 3.1.1,
	// 3.14.4], so one that ends in order says the same itself.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if e := conn.Publish(last, p.topic(schemas.Online), []byte("0"), true).Wait(last); e != nil && !errors.Is(e, mqttlink.ErrLost) {
		err = errors.Join(err, e)
	}
	return err
}

// receive frees what the hub's receipts name.
func (p *publisher) receive(ctx context.Context, conn *mqttlink.Conn) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, ok := <-conn.Messages():
			if !ok {
				return mqttlink.ErrLost
			}
			if err := p.take(m.Payload); err != nil {
				p.metrics.refusedReceipts.Inc()
				p.log.Error("a receipt or a command is refused; the envelopes stay in the spool", "topic", m.Topic, "error", err)
			}
			m.Ack()
		}
	}
}

// take opens one receipt and releases the records that it names.
func (p *publisher) take(envelope []byte) error {
	header, plain, err := p.opener.Open(nil, envelope)
	if err != nil {
		return err
	}
	if header.ContentType == seal.Command {
		return p.takeCommand(header, plain, time.Now())
	}
	if header.ContentType != seal.Receipt {
		return fmt.Errorf("%s on the receipt topic", header.ContentType)
	}
	receipt, err := schemas.DecodeReceipt(plain)
	if err != nil {
		return err
	}
	if receipt.Collector != p.id {
		return fmt.Errorf("receipt for collector %s", receipt.Collector)
	}
	var freed uint64
	for _, o := range p.outboxes() {
		freed += o.take(receipt)
	}
	p.metrics.strayReceipts.Add(float64(named(receipt) - freed))
	return nil
}

// problems says, for the operator, of which streams the hub has long confirmed
// nothing.
func (p *publisher) problems() (problems []string) {
	if _, stuck := p.readings.outstanding(); stuck > 0 {
		problems = append(problems, fmt.Sprintf("hub: %d envelopes went out %d times without a receipt; look at the hub's refusals (dead letters)", stuck, stuckAfter))
	}
	if _, stuck := p.cards.outstanding(); stuck > 0 {
		problems = append(problems, fmt.Sprintf("hub: %d envelopes of card entries went out %d times without a receipt; see that the hub has a ledger (its /readyz), and look at its refusals (dead letters)", stuck, stuckAfter))
	}
	if _, stuck := p.events.outstanding(); stuck > 0 {
		problems = append(problems, fmt.Sprintf("hub: %d envelopes of component events went out %d times without a receipt; see that the hub keeps cases (its /readyz), and look at its refusals (dead letters)", stuck, stuckAfter))
	}
	return problems
}

// tell publishes a status message now and every few seconds. A status is not
// spooled: the next one says more.
func (p *publisher) tell(ctx context.Context, conn *mqttlink.Conn) error {
	tick := time.NewTicker(p.statusEvery)
	defer tick.Stop()
	for {
		if envelope, err := p.status(); err != nil {
			// Readings go out without it; on a full disk that is what mends it.
			p.log.Error("no status message can be made", "error", err)
		} else {
			conn.Publish(ctx, p.topic(schemas.Statuses), envelope, false)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
