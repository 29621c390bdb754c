package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/collector"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newCardWatch() *cobra.Command {
	var d desk
	var publish bool
	var path string
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print a line for every card that comes and goes, until Ctrl-C",
		Long: `Prints a line for each event:

  insert  a card is in the reader
  read    what one of its applications says
  load    the meter has taken a purchase since the card was last seen here
  publish its entries are on disk and go to the hub (with --publish)
  fail    a card that cannot be read, with the reason
  remove  the card is gone

With --publish -c FILE it does in addition all that "collector run -c FILE" does,
and what the cards tell goes to the hub with the readings; --water and --gas must
then be given. A reader or pcscd that fails is looked for again while the meters
are read on. The data folder has room for one of the two programs at a time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			profile, err := d.profile()
			if err != nil {
				return err
			}
			if publish != (path != "") {
				return errors.New("--publish and -c FILE belong together")
			}
			if publish && !(cmd.Flags().Changed("water") && cmd.Flags().Changed("gas")) {
				return errors.New("--publish needs --water and --gas: cards do not say whether they count money or volume, and what goes to the books must not be guessed")
			}
			w := &watcher{desk: d, profile: profile, out: cmd.OutOrStdout(), now: time.Now, seen: make(map[purseKey]sight)}
			if publish {
				return w.publish(cmd.Context(), path)
			}
			return cli.Failed(w.run(cmd.Context()))
		},
	}
	d.cardFlags(cmd)
	cmd.Flags().BoolVar(&publish, "publish", false, "send what the cards tell to the hub; needs -c")
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file of the collector, for --publish")
	return cmd
}

// watcher is card watch.
type watcher struct {
	desk    desk
	profile cardslot.Profile
	out     io.Writer
	now     func() time.Time
	take    func(context.Context, []schemas.CardEntry) error // nil: nobody wants the entries
	seen    map[purseKey]sight                               // as each purse was last read
}

// purseKey names an application of a card.
type purseKey struct {
	card        schemas.CardID
	application cardslot.Application
}

// sight is what is remembered of a purse: little, because a counter sees every
// card of its city in the course of the years.
type sight struct {
	returned uint32
	wallet   cardfile.Wallet
}

// publish watches while a collector runs, and hands it the entries.
func (w *watcher) publish(ctx context.Context, path string) error {
	p, err := assemble(path)
	if err != nil {
		return err
	}
	if _, err := w.desk.open(ctx); err != nil { // what is wrong from the start is said at once
		return cli.Failed(err)
	}
	beFrugal()
	c, err := collector.Open(p.options)
	if err != nil {
		return cli.Failed(err)
	}
	_, stop, err := p.serveMetrics(c)
	if err != nil {
		return errors.Join(err, cli.Failed(c.Close()))
	}
	defer stop()
	w.take = c.TakeCards
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	// The collector outlives the watch: what a card told last is still taken.
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRunning()
	ran := make(chan error, 1)
	go func() {
		defer stopWatching()
		ran <- c.Run(running)
	}()
	stopCounters := p.serveCounters(watching, c.TakeCards)
	w.keepOn(watching)
	stopCounters()
	stopRunning()
	return cli.Failed(errors.Join(<-ran, c.Close()))
}

// readerPause is the time between two attempts to find pcscd again.
const readerPause = 10 * time.Second

// keepOn is run beside a collector: a fault of the reader or of its daemon is
// said, once, and no reason to stop reading meters.
func (w *watcher) keepOn(ctx context.Context) {
	for said := ""; ; {
		err := w.run(ctx)
		if err == nil {
			return
		}
		if said != err.Error() {
			said = err.Error()
			w.say("fail", "%v; the meters are read on, and the reader is looked for every %s", err, readerPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(readerPause):
		}
	}
}

// run watches until ctx ends, which is no error.
func (w *watcher) run(ctx context.Context) error {
	client, err := w.desk.open(ctx)
	for err == nil {
		var name string
		if name, err = client.WaitReader(ctx, w.desk.reader); err != nil {
			break
		}
		w.say("reader", "%s: put a card in", name)
		err = w.reader(ctx, client.Reader(name))
		if errors.Is(err, pcsc.ErrNoReader) {
			w.say("fail", "reader %s is unplugged: plug it in again", name)
			err = nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// reader follows the cards of one reader. Its error ends the watch of that
// reader; cards that cannot be read are said and no error.
func (w *watcher) reader(ctx context.Context, reader *pcsc.Reader) error {
	for {
		card, err := reader.WaitCard(ctx)
		switch {
		case err == nil:
			w.card(ctx, card)
		case cardFault(err):
			w.say("fail", "%v", err)
		default:
			return err
		}
		if err := reader.WaitRemoval(ctx); err != nil {
			return err
		}
		w.say("remove", "%s", reader.Name())
	}
}

// cardFault reports whether an error of WaitCard is this card's alone: the next
// one may be good.
func cardFault(err error) bool {
	switch {
	case errors.Is(err, pcsc.ErrNoReader), errors.Is(err, pcsc.ErrNotRunning), errors.Is(err, pcsc.ErrDenied):
		return false
	case errors.Is(err, pcsc.ErrMute), errors.Is(err, pcsc.ErrBusy):
		return true
	}
	return errors.As(err, new(pcsc.Status))
}

// card says what a card says.
func (w *watcher) card(ctx context.Context, card *pcsc.Card) {
	w.say("insert", "%s, ATR %X", card.Protocol(), card.ATR())
	contents, err := readAndClose(ctx, card, w.profile)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.say("fail", "%v", err)
		return
	}
	for i := range contents.Purses {
		w.purse(contents.Card, &contents.Purses[i])
	}
	if w.take == nil {
		return
	}
	entries := contents.Entries(w.now(), "")
	if err := w.take(context.WithoutCancel(ctx), entries); err != nil {
		w.say("fail", "card %s: %v: put the card in again", contents.Card, err)
		return
	}
	w.say("publish", "card %s: %d entries are on disk and go to the hub", contents.Card, len(entries))
}

// purse says what an application says, and what has changed since it was last
// seen.
func (w *watcher) purse(card schemas.CardID, p *cardslot.Purse) {
	who := fmt.Sprintf("card %s, %s", card, p.Application.Utility())
	w.say("read", "%s: meter %s: %s%s", who, p.Meter, purchaseText(p), residualText(p))
	for _, problem := range p.Problems {
		w.say("fail", "%s: %v", who, problem)
	}
	key := purseKey{card, p.Application}
	before, known := w.seen[key]
	if len(p.Problems) > 0 {
		return // what it says is not known: the next sight is compared with the last good one
	}
	if known && p.Returned() > before.returned {
		w.say("load", "%s: meter %s has taken %s%s", who, p.Meter, loadText(before, p), residualText(p))
	}
	w.seen[key] = sight{p.Returned(), p.Wallet}
}

// purchaseText says what the wallet holds.
func purchaseText(p *cardslot.Purse) string {
	switch {
	case p.Unloaded():
		return fmt.Sprintf("purchase %d of %s not yet loaded", p.Wallet.Count, credit(p.Wallet.Amount))
	case p.Wallet.Count == 0:
		return "no purchase yet"
	}
	return fmt.Sprintf("purchase %d loaded", p.Wallet.Count)
}

// loadText says which purchases the meter took between two sights of the card.
func loadText(before sight, after *cardslot.Purse) string {
	last := after.Returned()
	if first := before.returned + 1; first != last {
		return fmt.Sprintf("purchases %d to %d", first, last)
	}
	switch {
	case after.Return != nil && after.Return.LastAmount.Known():
		return fmt.Sprintf("purchase %d of %s", last, credit(after.Return.LastAmount))
	case before.wallet.Count == last:
		return fmt.Sprintf("purchase %d of %s", last, credit(before.wallet.Amount))
	}
	return fmt.Sprintf("purchase %d", last)
}

// residualText says what is left in the meter, as far as the card knows.
func residualText(p *cardslot.Purse) string {
	switch {
	case p.PowerReturn != nil:
		return fmt.Sprintf("; %s yuan left at %s", p.PowerReturn.Remaining, minute(p.PowerReturn.WrittenAt))
	case p.Return != nil:
		return fmt.Sprintf("; %s left at %s", credit(p.Return.Remaining), minute(p.Return.WrittenAt))
	}
	return ""
}

// say prints a line: time, event, and what about it.
func (w *watcher) say(event, format string, args ...any) {
	fmt.Fprintf(w.out, "%s  %-7s %s\n", w.now().Format("2006-01-02T15:04:05.000Z07:00"), event, fmt.Sprintf(format, args...))
}
