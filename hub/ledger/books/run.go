package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// Progress is how far a run is.
type Progress struct {
	Stage string // "accounts", "orders" or "writing"
	Done  int64
	Total int64 // 0 where it is not known
}

// Run reconciles a utility over span and returns what it closed with. by is who
// makes it; progress, if not nil, is called now and then from this goroutine.
//
// Runs follow one another without a gap; doing days again takes back the run of
// them and all later ones, which are then to be made again in order. What is read
// is streamed; what is found goes to a temporary file first, so that the books are
// locked only while it is written, in one transaction. A run that does not foot is
// refused with a *reconcile.FootError and nothing of it is kept. Killed at any
// moment, it leaves either the whole run or none; runs that were taken back for it
// are then listed as set aside, and making it again goes on from there.
func (b *Books) Run(ctx context.Context, utility schemas.Medium, span reconcile.Span, by string, progress func(Progress)) (RunSummary, error) {
	s, err := b.run(ctx, utility, span, by, progress)
	return s, explain(fmt.Sprintf("reconcile %s, %s to %s", utility, span.From, span.To), err)
}

func (b *Books) run(ctx context.Context, utility schemas.Medium, span reconcile.Span, by string, progress func(Progress)) (RunSummary, error) {
	switch {
	case utility != schemas.Water && utility != schemas.Power && utility != schemas.Gas:
		return RunSummary{}, fmt.Errorf("no utility %q: want water, power or gas", utility)
	case span.To < span.From:
		return RunSummary{}, errors.New("the span ends before it begins")
	case by == "":
		return RunSummary{}, errors.New("nobody is named who makes the run")
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	begun := b.o.Now()
	base, err := b.setAside(ctx, utility, span)
	if err != nil {
		return RunSummary{}, err
	}
	if err := b.liftWaiting(ctx); err != nil {
		return RunSummary{}, err
	}
	if err := b.unplaceOthers(ctx, &base); err != nil {
		return RunSummary{}, err
	}
	w, err := b.newWork(ctx, reading{utility: utility, span: span, base: base}, progress)
	if err != nil {
		return RunSummary{}, err
	}
	defer w.found.remove()
	if err := w.compare(ctx); err != nil {
		return RunSummary{}, err
	}
	progress(Progress{Stage: "writing", Total: w.found.count})
	out := RunSummary{Utility: utility, Span: span, State: RunDone, Before: base.ID, Rules: b.o.Rules.Version, Tariffs: w.tariffs,
		Inputs: w.inputs, Figures: w.figures.Over(&base.Figures), By: by, At: begun.UTC(), Took: b.o.Now().Sub(begun), Upto: w.r.upto, Unresolved: &w.r.unresolved}
	if err := out.Figures.Foot(); err != nil {
		return RunSummary{}, err
	}
	return b.keep(ctx, w, out)
}

// work is a run in the making.
type work struct {
	b        *Books
	r        reading
	plans    map[string]*tariff.Plan
	tariffs  string
	all      bool // every account is to be looked at: tariffs or rules have changed
	closed   map[int64][]string
	closedBy map[orderKey][]string
	marked   map[orderKey][]reconcile.DuplicateMark
	found    *spool
	figures  reconcile.Figures
	inputs   map[string]string
	progress func(Progress)
	body     []byte // reused
}

func (b *Books) newWork(ctx context.Context, r reading, progress func(Progress)) (*work, error) {
	var err error
	if r.fills, err = fillings(ctx, b.read, r.utility); err != nil {
		return nil, err
	}
	if err := r.mark(ctx, b); err != nil {
		return nil, err
	}
	w := &work{b: b, r: r, marked: make(map[orderKey][]reconcile.DuplicateMark), inputs: make(map[string]string), progress: progress}
	if w.plans, w.tariffs, err = b.plans(ctx); err != nil {
		return nil, err
	}
	w.all = r.base.ID != 0 && (r.base.Tariffs != w.tariffs || r.base.Rules != b.o.Rules.Version)
	if err := w.readClosed(ctx); err != nil {
		return nil, err
	}
	w.found, err = newSpool(b.o.TempDir)
	return w, err
}

// readClosed reads which open differences decisions have closed. A difference that
// is found again after its decision (its run was made again) is among them too.
func (w *work) readClosed(ctx context.Context) error {
	var rows []struct {
		Key     string `bun:"diff_key"`
		Place   int64  `bun:"place"`
		Channel string `bun:"channel"`
		Order   string `bun:"order_no"`
	}
	err := w.b.read.NewRaw("SELECT diff_key, place, channel, order_no FROM differences WHERE utility = ? AND cleared_run = 0 AND state = ? ORDER BY diff_key",
		string(w.r.utility), string(ledger.Closed)).Scan(ctx, &rows)
	w.closed, w.closedBy = make(map[int64][]string), make(map[orderKey][]string)
	d := newDigester()
	for _, r := range rows {
		if r.Place != 0 {
			w.closed[r.Place] = append(w.closed[r.Place], r.Key)
		} else {
			key := orderKey{r.Channel, r.Order}
			w.closedBy[key] = append(w.closedBy[key], r.Key)
		}
		d.texts(r.Key)
	}
	w.inputs["decisions"] = d.sum()
	return err
}

// compare does the accounts, then the orders: these need the marks of those. All
// streams begin at once, so that one sorts while another is read.
func (w *work) compare(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	accounts, orders := w.openAccounts(ctx, group), w.openOrders(ctx, group)
	group.Go(func() error {
		if err := w.eachAccount(ctx, accounts); err != nil {
			return err
		}
		orders.named = w.named()
		return w.eachOrder(ctx, orders)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	w.inputs["register"], w.inputs["balances"] = accounts.places.digest.sum(), accounts.balances.digest.sum()
	w.inputs["sales"], w.inputs["entries"] = accounts.sales.digest.sum(), accounts.entries.digest.sum()
	w.inputs["order balances"], w.inputs["orders"] = orders.balances.digest.sum(), orders.sales.digest.sum()
	w.inputs["payments"] = orders.payments.digest.sum()
	return w.found.flush()
}

// accountStreams are what the accounts are made of, each in the order of places.
type accountStreams struct {
	places   *stream[placeItem]
	balances *stream[balanceItem]
	sales    *stream[saleItem]
	entries  *stream[entryItem]
}

func (w *work) openAccounts(ctx context.Context, group *errgroup.Group) *accountStreams {
	db, r, utility := w.b.read.DB, &w.r, []any{string(w.r.utility)}
	return &accountStreams{
		places:   open(ctx, group, db, w.b.db.Rebind(placesQuery), utility, scanPlace),
		balances: open(ctx, group, db, w.b.db.Rebind(balancesQuery), utility, scanBalance),
		sales:    open(ctx, group, db, r.salesQuery(), nil, r.scanSale),
		entries:  open(ctx, group, db, r.entriesQuery(), nil, r.scanEntry),
	}
}

// progressEvery is how many accounts or orders lie between two calls of progress.
const progressEvery = 10_000

func (w *work) eachAccount(ctx context.Context, s *accountStreams) error {
	var (
		place ledger.Place
		in    reconcile.AccountInput
		done  int64
	)
	for p := s.places.peek(); p != nil; p = s.places.peek() {
		id, revision := p.id, p.revision
		place = ledger.Place{Meter: schemas.MeterID(p.meter), Utility: w.r.utility, Purse: schemas.CreditUnit(p.purse), Plan: p.plan,
			Readout: ledger.Readout(p.readby), Installations: place.Installations[:0]}
		for ; p != nil && p.id == id; p = s.places.peek() {
			if p.stands {
				place.Installations = append(place.Installations, p.i)
			}
			s.places.next()
		}
		in.Place, in.Closed = &place, w.closed[id]
		in.Sales, in.Entries = in.Sales[:0], in.Entries[:0]
		for q := s.sales.peek(); q != nil && q.place == id; q = s.sales.peek() {
			q.s.Meter = place.Meter
			in.Sales = append(in.Sales, q.s)
			s.sales.next()
		}
		for q := s.entries.peek(); q != nil && q.place == id; q = s.entries.peek() {
			q.e.Meter = place.Meter
			in.Entries = append(in.Entries, q.e)
			s.entries.next()
		}
		if err := w.account(id, revision, s.balances, &in); err != nil {
			return err
		}
		if done++; done%progressEvery == 0 {
			w.progress(Progress{Stage: "accounts", Done: done})
		}
	}
	if s.sales.peek() != nil || s.entries.peek() != nil {
		if ctx.Err() != nil {
			return ctx.Err() // a stream has failed, and the group says why
		}
		return errors.New("the books hold rows of a place that is not in the register")
	}
	return ctx.Err()
}

// account reconciles one place if anything can have changed there.
func (w *work) account(id, revision int64, balances *stream[balanceItem], in *reconcile.AccountInput) error {
	var held *balanceItem
	if q := balances.peek(); q != nil && q.place == id {
		held = q
		defer balances.next()
	}
	if held != nil && len(in.Sales)+len(in.Entries)+len(in.Closed) == 0 && !w.all &&
		held.wake > w.r.span.To && revision <= w.r.base.Upto.Revision {
		return nil
	}
	var opening reconcile.Balance
	var before []byte
	if held != nil {
		before = held.body
		var err error
		if opening, err = reconcile.DecodeBalance(held.body); err != nil {
			return fmt.Errorf("place %s: %w", in.Place.Meter, err)
		}
	}
	in.Plan = nil
	if in.Place.Purse == schemas.CreditFen {
		in.Plan = w.plans[in.Place.Plan]
	}
	res, err := reconcile.Account(&w.b.o.Rules, w.r.span, opening, *in)
	if err != nil {
		return err
	}
	w.figures.Add(&res.Figures)
	return w.noteAccount(id, before, &res)
}

func (w *work) noteAccount(id int64, before []byte, res *reconcile.AccountResult) error {
	w.body = res.Closing.AppendTo(w.body[:0])
	if !slices.Equal(w.body, before) {
		if err := w.found.add(record{kind: accountRecord, place: id, wake: res.Closing.Wake, body: w.body}); err != nil {
			return err
		}
	}
	for _, m := range res.Duplicates {
		key := orderKey{m.Channel, m.Order}
		w.marked[key] = append(w.marked[key], m)
		if err := w.found.mark(m); err != nil {
			return err
		}
	}
	return w.found.results(id, res.Found, res.Cleared, res.Refused)
}

// plans returns the tariff plans of the books by name, and the digest of the files
// that they came from.
func (b *Books) plans(ctx context.Context) (map[string]*tariff.Plan, string, error) {
	files, err := b.tariffFiles(ctx, b.read)
	if err != nil {
		return nil, "", err
	}
	plans := make(map[string]*tariff.Plan)
	d := newDigester()
	for _, f := range files {
		list, err := tariff.Load([]byte(f.Text))
		if err != nil {
			return nil, "", fmt.Errorf("tariffs %s: %w", f.Name, err)
		}
		for n := range list {
			if plans[list[n].ID] != nil {
				return nil, "", fmt.Errorf("plan %s stands in two tariff files; the second is %s", list[n].ID, f.Name)
			}
			plans[list[n].ID] = &list[n]
		}
		d.texts(f.Name, f.Digest)
	}
	return plans, d.sum(), nil
}

// tariffRow is a row of tariffs.
type tariffRow struct {
	bun.BaseModel `bun:"table:tariffs"`
	ID            int64  `bun:"id"`
	Name          string `bun:"name"`
	Digest        string `bun:"digest"`
	Text          string `bun:"text"`
	AtMillis      int64  `bun:"at_ms"`
	ByWhom        string `bun:"by_whom"`
}

// tariffFiles returns the latest file of each name.
func (b *Books) tariffFiles(ctx context.Context, db bun.IDB) (rows []tariffRow, err error) {
	err = db.NewSelect().Model(&rows).Where("id IN (SELECT MAX(id) FROM tariffs GROUP BY name)").Order("name").Scan(ctx)
	return rows, err
}

// StoreTariffs keeps a tariff file (tariff.Load) under a name and makes it the one
// that runs use from now on in place of the last one of that name. Old ones stay,
// for the runs that name them.
func (b *Books) StoreTariffs(ctx context.Context, name string, text []byte, by string) error {
	if _, err := tariff.Load(text); err != nil {
		return fmt.Errorf("store tariffs %s: %w", name, err)
	}
	d := newDigester()
	d.texts(string(text))
	row := tariffRow{Name: name, Digest: d.sum(), Text: string(text), AtMillis: millis(b.o.Now()), ByWhom: by}
	err := b.change(ctx, func(tx bun.Tx) error {
		files, err := b.tariffFiles(ctx, tx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(files, func(f tariffRow) bool { return f.Name == name && f.Digest == row.Digest }) {
			return nil
		}
		if row.ID, err = take(ctx, tx, "tariff", 1); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	return explain("store tariffs "+name, err)
}

// jsonOf writes what is always writable.
func jsonOf(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // only channels, functions and cycles fail, and there are none
		return nil
	}
	return text
}
