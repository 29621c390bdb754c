package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/hub/api"
	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/indicators"
	"citygrid/hub/cases/limits"
	"citygrid/hub/config"
	"citygrid/hub/media"
	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/internal/counters"
)

// This file joins the grid with the hub's face, which do not know each other.

// gridOptions adds the register and the cases to the hub's face, with their readiness and metrics.
func (h *hubProgram) gridOptions(o *api.Options) error {
	if h.grid == nil {
		return nil
	}
	face, err := h.grid.face()
	if err != nil {
		return err
	}
	o.Cases, o.Registry = face, &api.Registry{Auth: face.Auth, Register: h.grid.register}
	o.Ready = append(o.Ready, api.Check{Name: "grid", Check: h.grid.ready,
		Do: "look whether the database of the register and the cases (grid.dsn) can be reached; component events wait at the collectors"})
	if h.grid.media != nil {
		o.Ready = append(o.Ready, api.Check{Name: "media", Check: h.grid.mediaReady, Do: "look whether the bucket of photos (grid.media.s3) can be reached; reports with photos wait at the phones"})
	}
	registerGrid(h.registry, h.grid.desk)
	return nil
}

// face is what the API needs of the grid.
func (g *gridProgram) face() (*api.Cases, error) {
	auth, err := api.NewCaseTokens(casePeople(&g.cfg.Grid))
	if err != nil {
		return nil, fmt.Errorf("grid.people: %w", err)
	}
	o, err := g.deskOptions()
	if err != nil {
		return nil, fmt.Errorf("grid: %w", err)
	}
	face := &api.Cases{Auth: auth, Desk: g.desk, Rules: o.Rules, Limits: o.Limits, Lists: g.lists, Zone: o.Zone, Chance: rand.Reader, Now: time.Now,
		DepartmentName: g.departmentName, Indicators: indicatorFace{g.desk, o.Limits, make(chan struct{}, 1)}}
	if g.media != nil {
		face.Media = mediaFace{g.media}
	}
	face.Open311, err = open311Of(g.cfg.Grid.Open311)
	return face, err
}

// open311Of returns the interface for other programs; nil where the configuration has
// none.
func open311Of(cfg *config.Open311) (*api.Open311, error) {
	if cfg == nil {
		return nil, nil
	}
	list := make([]api.Open311Key, len(cfg.Keys))
	for n, k := range cfg.Keys {
		list[n] = api.Open311Key{Name: k.Name, Token: k.Token}
	}
	keys, err := api.NewOpen311Keys(list)
	if err != nil {
		return nil, fmt.Errorf("grid.open311.keys: %w", err)
	}
	return &api.Open311{Jurisdiction: cfg.Jurisdiction, URL: cfg.URL, Classes: cfg.Classes, Keys: keys}, nil
}

func casePeople(cfg *config.Grid) []api.CaseTokenPerson {
	list := make([]api.CaseTokenPerson, len(cfg.People))
	for n, p := range cfg.People {
		list[n] = api.CaseTokenPerson{Token: p.Token, CasePerson: api.CasePerson{ID: cases.PersonID(p.ID), Department: cases.DepartmentID(p.Department)}}
		for _, r := range p.Roles {
			list[n].Roles = append(list[n].Roles, cases.Role(r))
		}
	}
	return list
}

// departmentName is empty for one that the register does not have, or does not tell.
func (g *gridProgram) departmentName(ctx context.Context, id cases.DepartmentID) string {
	d, err := g.register.Department(ctx, registry.DepartmentID(id))
	if err != nil {
		return ""
	}
	return d.Name
}

// ready asks register and cases for something small.
func (g *gridProgram) ready(ctx context.Context) error {
	if _, err := g.register.Version(ctx); err != nil {
		return err
	}
	_, err := g.desk.List(ctx, desk.Filter{Limit: 1})
	return err
}

// registerGrid exports how many cases there are to work on.
func registerGrid(reg prometheus.Registerer, d *desk.Desk) {
	set := counters.New(reg, "cases")
	gauge := func(name, help string, f desk.Filter) {
		set.GaugeFunc(name, help, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), api.ReadyTimeout)
			defer cancel()
			n, err := d.Count(ctx, f)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		})
	}
	gauge("open", "Cases that are not at their end.", desk.Filter{Open: true})
	gauge("overdue", "Open cases whose limit for handling has passed.", desk.Filter{Open: true, Light: limits.Red})
}

// indicatorFace counts from the journal, anew each time, one after the other: a count
// reads every case, and two would take both cores from what collectors send.
type indicatorFace struct {
	desk *desk.Desk
	book *limits.Book
	turn chan struct{}
}

// Rows implements api.CaseIndicators.
func (f indicatorFace) Rows(ctx context.Context, periods []indicators.Period) ([]indicators.Row, error) {
	t, err := indicators.New(indicators.Config{Book: f.book, Periods: periods, AsOf: time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := f.desk.Journals(ctx, t.Add); err != nil {
		return nil, err
	}
	return t.Rows(), nil
}

// peopleFace tells the desk who is an inspector: who has that role in the
// configuration or the register, and has not left.
type peopleFace struct {
	cfg      *config.Grid
	register *assets.Register
}

// Inspector implements desk.People.
func (f peopleFace) Inspector(ctx context.Context, id cases.PersonID) (bool, error) {
	is := func(roles []string) bool { return slices.Contains(roles, string(cases.Inspector)) }
	may := slices.ContainsFunc(f.cfg.People, func(p config.GridPerson) bool { return p.ID == string(id) && is(p.Roles) })
	p, err := f.register.Person(ctx, registry.PersonID(id))
	if errors.Is(err, assets.ErrUnknown) {
		return may, nil
	}
	return err == nil && !p.Disabled && (may || is(p.Roles)), err
}

// mediaFace is the API's view of the media.
type mediaFace struct{ library *media.Library }

// mediaError gives an error of package media the class that the API knows.
func mediaError(err error) error {
	for _, k := range []struct{ ours, theirs error }{
		{media.ErrTooLarge, api.ErrMediaTooLarge}, {media.ErrType, api.ErrMediaType}, {media.ErrDamaged, api.ErrMediaDamaged}, {media.ErrAbsent, api.ErrMediaAbsent},
	} {
		if errors.Is(err, k.ours) {
			return classed{err, k.theirs}
		}
	}
	return err
}

// classed is an error with its own text and the class of another.
type classed struct {
	error
	class error
}

// Unwrap gives both to errors.Is.
func (c classed) Unwrap() []error { return []error{c.error, c.class} }

// Take implements api.CaseMedia.
func (f mediaFace) Take(ctx context.Context, r io.Reader) (api.MediaObject, error) {
	o, err := f.library.Take(ctx, r)
	if err != nil {
		return api.MediaObject{}, mediaError(err)
	}
	return api.MediaObject{SM3: string(o.Digest), Original: string(o.Original), Kind: cases.MediaKind(o.Kind), Type: o.Type, Size: o.Size,
		TakenAt: o.TakenAt, Position: o.Position}, nil
}

// Open implements api.CaseMedia.
func (f mediaFace) Open(ctx context.Context, sm3 string) ([]byte, string, error) {
	data, mediaType, err := f.library.Open(ctx, media.Digest(sm3))
	return data, mediaType, mediaError(err)
}

// Most implements api.CaseMedia.
func (f mediaFace) Most() int64 {
	l := f.library.Limits
	return max(l.Image, l.Audio, l.Video)
}
