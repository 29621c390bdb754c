package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/hub/accounts"
	"citygrid/hub/api"
	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/config"
	"citygrid/hub/ingest"
	"citygrid/hub/media"
	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/geo"
	"citygrid/hub/store"
	"citygrid/hub/webhook"
	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/schemas/seal"
)

// gridProgram is the asset register and the cases of a hub.
type gridProgram struct {
	cfg      *config.Config
	lists    *codes.Lists
	register *assets.Register
	desk     *desk.Desk
	media    *media.Library // nil: none are taken
	hooks    *webhook.Sender
	accounts *accounts.Accounts // nil: this hub has none
	log      *slog.Logger
}

// openGrid opens what the section grid of the configuration names, if there is one.
func (h *hubProgram) openGrid(ctx context.Context) error {
	if h.cfg.Grid.DSN == "" {
		return nil
	}
	g, err := openGrid(ctx, h.cfg, h.codes, h.log)
	if err != nil {
		return cli.Failed(fmt.Errorf("grid: %w", err))
	}
	h.grid, g.accounts = g, h.accounts
	return nil
}

func (h *hubProgram) closeGrid() error {
	if h.grid == nil {
		return nil
	}
	return cli.Failed(h.grid.Close())
}

// openGrid opens register, desk and media, and works out the clocks of open cases.
func openGrid(ctx context.Context, cfg *config.Config, lists *codes.Lists, log *slog.Logger) (*gridProgram, error) {
	g := &gridProgram{cfg: cfg, lists: lists, log: log}
	err := g.open(ctx)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *gridProgram) open(ctx context.Context) error {
	if err := g.openDesk(ctx); err != nil {
		return err
	}
	if err := g.desk.Renew(ctx); err != nil { // the cases that it names keep their old clocks
		g.log.Error("clocks of open cases", "error", err)
	}
	zone, err := g.cfg.Grid.Location()
	if err != nil {
		return err
	}
	if g.media, err = openMedia(g.cfg, zone); err != nil {
		return err
	}
	if err := g.mediaReady(ctx); err != nil { // meters and cases need no photos
		g.log.Error("photos cannot be kept yet", "error", err)
	}
	g.hooks, err = g.webhooks()
	return err
}

// openDesk opens the register and the cases.
func (g *gridProgram) openDesk(ctx context.Context) error {
	dsn, err := databaseAddress(g.cfg, g.cfg.Grid.DSN, g.cfg.Grid.Password, "grid.password")
	if err != nil {
		return err
	}
	if g.register, err = assets.Open(ctx, dsn, assets.Options{Lists: g.lists}); err != nil {
		return err
	}
	o, err := g.deskOptions()
	if err != nil {
		return err
	}
	g.desk, err = desk.Open(ctx, dsn, o)
	return err
}

// Close ends all use of the grid.
func (g *gridProgram) Close() error {
	var errs []error
	if g.desk != nil {
		errs = append(errs, g.desk.Close())
	}
	if g.register != nil {
		errs = append(errs, g.register.Close())
	}
	return errors.Join(errs...)
}

func (g *gridProgram) deskOptions() (desk.Options, error) {
	cfg := &g.cfg.Grid
	zone, err := cfg.Location()
	if err != nil {
		return desk.Options{}, err
	}
	pattern := cfg.CaseNumber
	if pattern == "" {
		pattern = config.DefaultCaseNumber
	}
	numbers, err := codes.NewCaseTemplate(pattern, zone)
	if err != nil {
		return desk.Options{}, fmt.Errorf("case_number: %w", err)
	}
	book, err := loadLimits(g.cfg, zone)
	if err != nil {
		return desk.Options{}, fmt.Errorf("limits: %w", err)
	}
	return desk.Options{
		Rules: book.Workflow, Grid: gridFace{g.register}, Limits: book, Classes: classFace{g.lists}, People: staffFace{g, peopleFace{cfg, g.register}}, Numbers: numbers, Zone: zone, Now: time.Now,
		Events: desk.EventRules{Hold: cfg.Events.Hold, Near: cfg.Events.NearM, Within: cfg.Events.Within, Cluster: cfg.Events.Cluster},
		Plain:  plainPosition,
	}, nil
}

// plainPosition turns a position into CGCS2000; one that cannot be is shown nowhere.
func plainPosition(p schemas.Position) schemas.Position {
	out, err := assets.Plain(p)
	if err != nil {
		return schemas.Position{}
	}
	return out
}

// loadLimits reads the file of limits. Without one no case has a limit, every hour is
// one of work, and everything is left to persons.
func loadLimits(cfg *config.Config, zone *time.Location) (*limits.Book, error) {
	if cfg.Grid.Limits == "" {
		var week [7][]limits.Shift
		for n := range week {
			week[n] = []limits.Shift{{From: 0, To: 24 * 60}}
		}
		calendar, err := limits.NewCalendar(zone, week, nil)
		return &limits.Book{Calendar: calendar, Starts: limits.AtDispatch, Rework: limits.Anew}, err
	}
	path := cfg.Path(cfg.Grid.Limits)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	book, err := limits.Load(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return book, nil
}

// openMedia opens the folder or bucket of photos; nil where there is none.
func openMedia(cfg *config.Config, zone *time.Location) (*media.Library, error) {
	m := &cfg.Grid.Media
	bounds := media.DefaultLimits()
	for _, b := range []struct {
		mib int
		to  *int64
	}{{m.MaxImage, &bounds.Image}, {m.MaxAudio, &bounds.Audio}, {m.MaxVideo, &bounds.Video}} {
		if b.mib > 0 {
			*b.to = int64(b.mib) << 20
		}
	}
	var keeper media.Store
	var err error
	switch {
	case m.Dir != "":
		keeper, err = media.OpenDisk(cfg.Path(m.Dir))
	case m.S3 != nil:
		keeper, err = openBucket(cfg, m.S3)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &media.Library{Store: keeper, Limits: bounds, Zone: zone}, nil
}

// mediaReady asks for the bucket of photos; a folder has been made, and is there.
func (g *gridProgram) mediaReady(ctx context.Context) error {
	if g.media == nil {
		return nil
	}
	bucket, is := g.media.Store.(*media.S3)
	if !is {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, api.ReadyTimeout)
	defer cancel()
	return bucket.Ready(ctx)
}

func openBucket(cfg *config.Config, s *config.S3) (media.Store, error) {
	key, err := seal.ReadPassphrase(sourceIn(cfg, s.Secret))
	if err != nil {
		return nil, fmt.Errorf("media.s3.secret: %w", err)
	}
	return media.NewS3(media.S3Config{URL: s.URL, Bucket: s.Bucket, Region: s.Region, Access: s.Access, Secret: key})
}

// webhooks makes the sender; nil without targets.
func (g *gridProgram) webhooks() (*webhook.Sender, error) {
	if len(g.cfg.Grid.Webhooks) == 0 {
		return nil, nil
	}
	var targets []webhook.Target
	for _, w := range g.cfg.Grid.Webhooks {
		key, err := seal.ReadPassphrase(sourceIn(g.cfg, w.Secret))
		if err != nil {
			return nil, fmt.Errorf("webhook %s: secret: %w", w.Name, err)
		}
		targets = append(targets, webhook.Target{Name: w.Name, URL: w.URL, Secret: key, Types: w.Types})
	}
	return webhook.New(webhook.Options{Feed: hookFeed{g.desk}, Cursors: hookFeed{g.desk}, Targets: targets, Now: time.Now, Log: g.log})
}

// settleEvery is how often held events are looked at.
const settleEvery = 2 * time.Second

// run does what the grid does by itself: it makes cases of events that have waited,
// tells webhooks, and writes what happens into the series.
func (g *gridProgram) run(ctx context.Context, series *store.Store) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.settle(ctx) })
	group.Go(func() error { return g.chart(ctx, series) })
	if g.hooks != nil {
		group.Go(func() error { return g.hooks.Run(ctx) })
	}
	return group.Wait()
}

func (g *gridProgram) settle(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := g.desk.Settle(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("held component events wait on; trying again", "error", err)
		}
	}
}

// chartCursor is the reader of the journal that writes points.
const chartCursor = "series"

// chart writes every act into the series, in order, and goes on where it stopped.
func (g *gridProgram) chart(ctx context.Context, series *store.Store) error {
	for ctx.Err() == nil {
		changed := g.desk.Changed()
		more, err := g.chartSome(ctx, series)
		switch {
		case err != nil && ctx.Err() == nil:
			g.log.Error("acts of cases are not in the series yet; trying again", "error", err)
			pause(ctx, 5*time.Second)
		case !more:
			select {
			case <-ctx.Done():
			case <-changed:
			}
		}
	}
	return nil
}

func (g *gridProgram) chartSome(ctx context.Context, series *store.Store) (more bool, err error) {
	after, err := g.desk.Cursor(ctx, chartCursor)
	if err != nil {
		return false, err
	}
	list, err := g.desk.Feed(ctx, after, 500)
	if err != nil || len(list) == 0 {
		return false, err
	}
	points := make([]store.Transition, len(list))
	for n := range list {
		if points[n], err = g.transition(ctx, &list[n]); err != nil {
			return false, err
		}
	}
	err = series.StoreTransitions(ctx, points)
	var refused *store.RejectedTransitionsError
	if errors.As(err, &refused) { // the others are in it; these stay in the journal alone
		g.log.Error("acts of cases that dashboards will not show", "error", refused)
		err = nil
	}
	if err != nil {
		return false, err
	}
	return true, g.desk.Move(ctx, chartCursor, list[len(list)-1].Seq, "")
}

// transition is what dashboards count of an act: class and community are those that
// the case has now, and empty where its journal is broken.
func (g *gridProgram) transition(ctx context.Context, f *desk.FeedEntry) (store.Transition, error) {
	t := store.Transition{Seq: f.Seq, Case: string(f.Entry.Case), Act: string(f.Entry.Act), State: string(f.State),
		Department: string(f.Entry.Department), At: f.Entry.ReceivedAt}
	entries, err := g.desk.Journal(ctx, f.Entry.Case)
	if err != nil {
		return store.Transition{}, err
	}
	c, err := cases.Fold(entries)
	if err != nil {
		g.log.Error("a case has a broken journal; citygrid cases check says more", "case", f.Entry.Case, "error", err)
		return t, nil
	}
	t.Source, t.Class = string(c.Report.Source), c.Class.String()
	if c.Cell != "" {
		t.Area = string(c.Cell.Community())
	}
	return t, nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// eventStore is where component events go: into cases, where there is a grid, and then
// into the series.
func (h *hubProgram) eventStore(series *store.Store) ingest.EventStore {
	if h.grid == nil {
		return ingest.EventStores{series}
	}
	return ingest.EventStores{h.grid.desk, series}
}

// hookFeed gives the journal to webhooks.
type hookFeed struct{ *desk.Desk }

// Items implements webhook.Feed.
func (f hookFeed) Items(ctx context.Context, after int64, limit int) ([]webhook.Item, error) {
	list, err := f.Feed(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	items := make([]webhook.Item, len(list))
	for n := range list {
		body, err := list[n].Public()
		if err != nil {
			return nil, err
		}
		items[n] = webhook.Item{Number: list[n].Seq, ID: fmt.Sprintf("%s-%d", list[n].Entry.Case, list[n].Entry.Number), Type: list[n].Type(), Body: body}
	}
	return items, nil
}

// hookCursor is the name of a webhook's cursor, apart from those of the hub itself.
func hookCursor(target string) string { return "webhook " + target }

// Cursor implements webhook.Cursors.
func (f hookFeed) Cursor(ctx context.Context, target string) (int64, error) {
	return f.Desk.Cursor(ctx, hookCursor(target))
}

// Done implements webhook.Cursors.
func (f hookFeed) Done(ctx context.Context, target string, i webhook.Item, givenUp string) error {
	return f.Move(ctx, hookCursor(target), i.Number, givenUp)
}

// classFace answers the desk from the code lists.
type classFace struct{ *codes.Lists }

// OfEvent implements desk.Classes.
func (f classFace) OfEvent(kind schemas.EventKind) (codes.Ref, string, error) {
	c, err := f.ForExtension(codes.Event, string(kind))
	return c.Ref, c.ZH, err
}

// Name implements desk.Classes.
func (f classFace) Name(class codes.Ref) (string, error) {
	c, err := f.Lookup(class)
	return c.ZH, err
}

// gridFace answers the desk from the asset register.
type gridFace struct{ *assets.Register }

func deskPlace(p assets.Place, err error) (desk.Place, error) {
	out := desk.Place{Component: p.Component, Class: p.Class, ClassName: p.ClassName, Location: p.Location, Position: p.Position,
		Cell: p.Cell, Duty: p.Duty, AreaClass: p.AreaKind}
	for _, d := range p.Departments {
		out.Departments = append(out.Departments, cases.DepartmentID(d))
	}
	return out, err
}

// OfMeter implements desk.Grid.
func (f gridFace) OfMeter(ctx context.Context, meter schemas.MeterID, at time.Time) (desk.Place, error) {
	return deskPlace(f.Register.OfMeter(ctx, meter, at))
}

// OfComponent implements desk.Grid.
func (f gridFace) OfComponent(ctx context.Context, id schemas.ComponentID) (desk.Place, error) {
	return deskPlace(f.Register.OfComponent(ctx, id))
}

// OfLine implements desk.Grid.
func (f gridFace) OfLine(ctx context.Context, collector schemas.CollectorID, line string) (desk.Place, error) {
	return deskPlace(f.Register.OfLine(ctx, collector, line))
}

// At implements desk.Grid. What cannot be turned into CGCS2000 is nowhere that the
// register knows.
func (f gridFace) At(ctx context.Context, p schemas.Position) (desk.Place, error) {
	place, err := deskPlace(f.Register.At(ctx, p))
	var nowhere *geo.CoordinateError
	if errors.As(err, &nowhere) {
		return desk.Place{}, nil
	}
	return place, err
}

// OfCell implements desk.CellGrid.
func (f gridFace) OfCell(ctx context.Context, cell codes.CellCode) (desk.Place, error) {
	return deskPlace(f.Register.OfCell(ctx, cell))
}

// Candidates implements desk.Grid.
func (f gridFace) Candidates(ctx context.Context, class codes.Ref) ([]cases.DepartmentID, error) {
	list, err := f.Register.Candidates(ctx, class)
	out := make([]cases.DepartmentID, len(list))
	for n, d := range list {
		out[n] = cases.DepartmentID(d)
	}
	return out, err
}
