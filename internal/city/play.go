package city

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
	"citygrid/simulators"
)

const (
	// playLeak is by how much a meter leaks, in m3/h.
	playLeak = 4.5
	// workEvery is how often people look at their cases; a case lies for at least
	// that long before the next of them takes it up.
	workEvery = 3 * time.Second
	// watchable is how long it lies in a city that people look at.
	watchable = 15 * time.Second
)

// Play lets water meters leak, one after the other, and the people of the city deal
// with the cases that come of it, until ctx is done: the dispatcher sends each to the
// department, which takes it, repairs the pipe and feeds back; the hub closes it when
// the meter shows the repair. Other cases, and leaks of others, are left alone. It
// needs a grid.
//
// In a city with a past an inspector checks the repair and a shift leader closes the
// case. There one leak at a time is the user's (OwnLeak): nobody of the play dispatches
// or checks it, however long that takes.
func (c *City) Play(ctx context.Context) error {
	p := &play{c: c, rng: rand.New(rand.NewPCG(c.o.Fleet.Seed, leakSalt)), open: map[schemas.MeterID]bool{}, lies: c.grid.o.Pace}
	switch {
	case p.lies != 0:
	case c.past != nil:
		p.lies = watchable
	default:
		p.lies = workEvery
	}
	leak, work := time.NewTicker(c.grid.o.LeakEvery), time.NewTicker(workEvery)
	defer leak.Stop()
	defer work.Stop()
	for first := true; ; first = false {
		var err error
		if first {
			err = p.leak(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-leak.C:
			err = errors.Join(err, p.leak(ctx))
		case <-work.C:
			err = errors.Join(err, p.work(ctx))
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("play: %w", err)
		}
	}
}

const leakSalt = 0x1ea4

// play is what the play knows: the meters that it has broken and not mended, and all
// that it ever broke.
type play struct {
	c              *City
	rng            *rand.Rand
	broken, played []schemas.MeterID
	// open are the played meters with open cases, as last seen.
	open map[schemas.MeterID]bool
	// own is the meter whose leak is left to the user, ownCase its case once there is
	// one.
	own     schemas.MeterID
	ownCase string
	lies    time.Duration
}

// leak breaks a meter that can leak, shows a flow, and does not yet.
func (p *play) leak(ctx context.Context) error {
	able := slices.DeleteFunc(p.c.Leaky(), func(m schemas.MeterID) bool { return slices.Contains(p.broken, m) || p.open[m] })
	if len(able) == 0 {
		return nil
	}
	meter := able[p.rng.IntN(len(able))]
	if p.c.past != nil && p.own == "" {
		meter = p.c.ownOf(p.fresh(able))
	}
	if _, err := p.c.Break(ctx, meter, simulators.Leaks, playLeak); err != nil {
		var refused *orderError
		if errors.As(err, &refused) {
			return nil // somebody else has broken it
		}
		return err
	}
	p.broken, p.played = append(p.broken, meter), append(p.played, meter)
	if p.c.past != nil && p.own == "" {
		p.own, p.ownCase = meter, ""
	}
	return nil
}

// fresh leaves out the meters that have leaked, while there are others: one that leaks again
// as soon as its case is closed looks like a repair that failed.
func (p *play) fresh(able []schemas.MeterID) []schemas.MeterID {
	list := slices.DeleteFunc(slices.Clone(able), func(m schemas.MeterID) bool { return slices.Contains(p.played, m) })
	if len(list) == 0 {
		return able
	}
	return list
}

// OwnLeak returns the meter that is the first to leak and that the play leaves to the
// user, one in the cells of the sample inspector where there is one. Empty where none
// can leak, or without a past.
func (c *City) OwnLeak() schemas.MeterID {
	if c.past == nil {
		return ""
	}
	return c.ownOf(c.Leaky())
}

func (c *City) ownOf(able []schemas.MeterID) schemas.MeterID {
	for _, m := range able {
		if at := c.grid.truth[m]; c.past.district.DutyOf(&at) == sampleDuty {
			return m
		}
	}
	if len(able) == 0 {
		return ""
	}
	return able[0]
}

// Leaky returns the meters that can leak and show a flow, by which a leak is seen
// within seconds.
func (c *City) Leaky() (list []schemas.MeterID) {
	for _, m := range c.fleet.Meters {
		if c.fleet.CanSuffer(m.ID, simulators.Leaks, playLeak) == nil && slices.Contains(m.Quantities(), "water.flow") {
			list = append(list, m.ID)
		}
	}
	return list
}

// playCase is what people look at of a case.
type playCase struct {
	ID, State, Component, Handler string
	Since                         time.Time
}

// work lets the people do the next act in every case of a leak of this play.
func (p *play) work(ctx context.Context) error {
	var page struct{ Rows []playCase }
	query := url.Values{"open": {"true"}, "source": {"sensor"}, "class": {"citygrid-ext:event:leak"}, "limit": {"1000"}}
	if err := p.ask(ctx, p.person("dispatcher", ""), http.MethodGet, "/api/v1/cases?"+query.Encode(), nil, &page); err != nil {
		return err
	}
	p.look(page.Rows)
	for _, k := range page.Rows {
		meter, ok := p.meterOf(k.Component)
		if !ok || time.Since(k.Since) < p.lies || k.ID == p.ownCase && (k.State == "filed" || k.State == "checking") {
			continue
		}
		if err := p.next(ctx, &k, meter); err != nil {
			return err
		}
	}
	return nil
}

// look notes which played meters have open cases, and when the user's case is done.
func (p *play) look(rows []playCase) {
	clear(p.open)
	for _, k := range rows {
		meter, ok := p.meterOf(k.Component)
		if !ok {
			continue
		}
		p.open[meter] = true
		if meter == p.own && p.ownCase == "" {
			p.ownCase = k.ID
		}
	}
	if p.ownCase != "" && !slices.ContainsFunc(rows, func(k playCase) bool { return k.ID == p.ownCase }) {
		p.own, p.ownCase = "", ""
	}
}

func (p *play) meterOf(component string) (schemas.MeterID, bool) {
	for _, m := range p.played {
		if string(p.c.grid.truth[m].ID) == component {
			return m, true
		}
	}
	return "", false
}

// next does the act that a case waits for, if it waits for a person.
func (p *play) next(ctx context.Context, k *playCase, meter schemas.MeterID) error {
	owner := p.c.grid.truth[meter].Authority
	switch k.State {
	case "filed":
		return p.act(ctx, p.person("dispatcher", ""), k.ID, map[string]any{"act": "dispatch", "departments": []string{owner}})
	case "dispatched":
		return p.act(ctx, p.person("department", owner), k.ID, map[string]any{"act": "take"})
	case "handling":
		if err := p.act(ctx, p.person("department", owner), k.ID, map[string]any{"act": "feed_back", "text": "the pipe has been repaired"}); err != nil {
			return err
		}
		_, err := p.c.Mend(ctx, meter, simulators.Leaks)
		var refused *orderError
		if err == nil || errors.As(err, &refused) { // mended by hand meanwhile
			p.broken = slices.DeleteFunc(p.broken, func(m schemas.MeterID) bool { return m == meter })
			return nil
		}
		return err
	}
	return p.finish(ctx, k)
}

// finish does what the hub does by itself in a city without a past.
func (p *play) finish(ctx context.Context, k *playCase) error {
	switch {
	case p.c.past == nil:
		return nil
	case k.State == "fed_back":
		inspector := string(otherInspector)
		if k.ID == p.ownCase {
			inspector = string(sampleInspector)
		}
		return p.act(ctx, p.person("acceptor", ""), k.ID, map[string]any{"act": "send_check", "inspector": inspector})
	case k.State == "checking":
		return p.act(ctx, p.named(string(otherInspector)), k.ID, map[string]any{"act": "answer_check", "outcome": "yes"})
	case k.State == "checked":
		return p.act(ctx, p.person("shift_leader", ""), k.ID, map[string]any{"act": "close"})
	}
	return nil
}

// named returns the person with an id.
func (p *play) named(id string) Person {
	for _, one := range p.c.grid.people {
		if one.ID == id {
			return one
		}
	}
	return Person{}
}

// person returns the first who has a role, in a department.
func (p *play) person(role, department string) Person {
	for _, one := range p.c.grid.people {
		if slices.Contains(one.Roles, role) && one.Department == department {
			return one
		}
	}
	return Person{}
}

func (p *play) act(ctx context.Context, who Person, id string, body map[string]any) error {
	return p.ask(ctx, who, http.MethodPost, "/api/v1/cases/"+id+"/acts", body, nil)
}

// ask sends a request to the hub's API. A conflict is no error: somebody at the
// terminal was faster.
func (p *play) ask(ctx context.Context, who Person, method, path string, body, into any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.c.hubURL+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+who.Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	switch {
	case err != nil:
		return err
	case answer.StatusCode == http.StatusConflict, answer.StatusCode == http.StatusForbidden:
		return nil
	case answer.StatusCode >= 300:
		return fmt.Errorf("%s %s as %s: %s: %s", method, path, who.ID, answer.Status, strings.TrimSpace(string(data)))
	case into == nil:
		return nil
	}
	return json.Unmarshal(data, into)
}
