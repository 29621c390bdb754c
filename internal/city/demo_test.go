package city

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// user is a person at a browser: signed in, or touring.
type user struct {
	t      *testing.T
	c      *City
	id     string
	client *http.Client
}

// tourist has not signed in.
func tourist(t *testing.T, c *City) *user {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &user{t, c, "nobody", &http.Client{Jar: jar}}
}

// signIn signs a sample user in with the passphrase of this start.
func signIn(t *testing.T, c *City, id string) *user {
	t.Helper()
	u := tourist(t, c)
	u.id = id
	var session struct {
		State  string
		Person struct{ ID string }
	}
	u.want(http.StatusOK, http.MethodPost, "/api/v1/session", map[string]string{"name": id, "password": string(c.Passphrase().Reveal())}, &session)
	if session.State != "signed_in" || session.Person.ID != id {
		t.Fatalf("%s signed in as %+v", id, session)
	}
	return u
}

// want sends a request and fails unless the hub answers with a status.
func (u *user) want(status int, method, path string, body, into any) {
	u.t.Helper()
	got, answer := u.ask(method, path, body)
	if got != status {
		u.t.Fatalf("%s %s as %s: status %d, want %d: %s", method, path, u.id, got, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			u.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
}

// ask sends a body as JSON, and bytes as they are.
func (u *user) ask(method, path string, body any) (int, []byte) {
	u.t.Helper()
	raw, plain := body.([]byte)
	kind := "application/octet-stream"
	if !plain && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			u.t.Fatal(err)
		}
		kind = "application/json"
	}
	request, err := http.NewRequestWithContext(u.t.Context(), method, u.c.HubURL()+path, bytes.NewReader(raw))
	if err != nil {
		u.t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	answer, err := u.client.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return answer.StatusCode, data
}

// TestDemoCity starts the city that `citygrid demo` opens, in small, and does in it what
// a new user is told to do.
func TestDemoCity(t *testing.T) {
	begun := time.Now()
	c := startCity(t, func(o *Options) {
		o.Interval = time.Second
		o.Grid = &GridOptions{Cells: 100, LeakEvery: 5 * time.Second, Pace: time.Second}
		o.Past = &PastOptions{Places: 200, Cases: 60, Days: 3, Progress: func(part string, took time.Duration) { t.Logf("%-14s %5.1f s", part, took.Seconds()) }}
	})
	t.Logf("started in %s", time.Since(begun))
	t.Run("accounts", func(t *testing.T) { demoAccounts(t, c) })
	t.Run("books", func(t *testing.T) { demoBooks(t, c) })
	t.Run("cases", func(t *testing.T) { demoCases(t, c) })
	t.Run("readings", func(t *testing.T) { demoReadings(t, c) })
	t.Run("leak", func(t *testing.T) { demoLeak(t, c) })
	r := finish(t, c)
	exact(t, r)
	if r.Past.Written == 0 || r.Past.Stored != r.Past.Written {
		t.Errorf("of the past %+v", r.Past)
	}
	if r.CardEntries == 0 || r.CardsBooked != r.CardEntries {
		t.Errorf("%d card entries were taken, %d booked", r.CardEntries, r.CardsBooked)
	}
	gridExact(t, r, 1)
}

// demoAccounts: every sample user can sign in with the passphrase and with nothing else;
// whoever has not may look and change nothing.
func demoAccounts(t *testing.T, c *City) {
	phrase := string(c.Passphrase().Reveal())
	if len(phrase) < 12 || strings.Count(phrase, "-") != 3 {
		t.Errorf("the passphrase is %q, want three words and digits", phrase)
	}
	other, err := drawPassphrase()
	if err != nil || other.Equal(c.Passphrase()) {
		t.Errorf("another start would have the same passphrase, or none: %v", err)
	}
	samples := c.Samples()
	if len(samples) != 10 {
		t.Errorf("%d sample users, want one for each of 10 roles: %+v", len(samples), samples)
	}
	for _, p := range samples {
		signIn(t, c, p.ID)
	}
	for _, p := range c.People() {
		if is := slices.ContainsFunc(samples, func(s Person) bool { return s.ID == p.ID }); p.SignsIn != is {
			t.Errorf("%s: signs in %v, is a sample user %v", p.ID, p.SignsIn, is)
		}
	}
	tour := tourist(t, c)
	tour.want(http.StatusUnauthorized, http.MethodPost, "/api/v1/session", map[string]string{"name": "clerk-1", "password": "demo-demo-demo"}, nil)
	tour.want(http.StatusOK, http.MethodGet, "/api/v1/cases?limit=1", nil, nil)
	tour.want(http.StatusOK, http.MethodGet, "/api/v1/ledger/runs?utility=water", nil, nil)
	var refused struct{ Code string }
	tour.want(http.StatusForbidden, http.MethodPost, "/api/v1/ledger/runs", map[string]string{"utility": "water", "from": "2026-01-01"}, &refused)
	if refused.Code != "tour_read_only" {
		t.Errorf("a tour that changes something is refused with %q", refused.Code)
	}
}

// demoBooks: files with mistakes are refused by line, yesterday's are taken, and the run
// of yesterday finds just what is wrong.
func demoBooks(t *testing.T, c *City) {
	clerk := signIn(t, c, "clerk-1")
	yesterday, withErrors := c.Settlement()
	for _, name := range csvFiles(t, withErrors) {
		status, answer := upload(t, clerk, name)
		if status != http.StatusUnprocessableEntity || !bytes.Contains(answer, []byte("line")) {
			t.Errorf("%s: status %d: %s", filepath.Base(name), status, answer)
		}
	}
	for _, name := range csvFiles(t, yesterday) {
		if status, answer := upload(t, clerk, name); status >= 300 {
			t.Errorf("%s: status %d: %s", filepath.Base(name), status, answer)
		}
	}
	day := c.Books().Day()
	for _, u := range []string{"water", "power", "gas"} {
		var job struct{ ID, State, Problem string }
		clerk.want(http.StatusAccepted, http.MethodPost, "/api/v1/ledger/runs", map[string]string{"utility": u, "from": day.String()}, &job)
		await(t, "the run of "+u, func() bool {
			clerk.want(http.StatusOK, http.MethodGet, "/api/v1/ledger/jobs/"+job.ID, nil, &job)
			return job.State == "done" || job.State == "failed"
		})
		if job.State != "done" {
			t.Fatalf("the run of %s: %s", u, job.Problem)
		}
	}
	b, err := books.Open(t.Context(), c.ledger(), books.Options{Rules: reconcile.DefaultRules(ledger.Calendar{Zone: c.past.zone, CutOff: cutOff})})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for d := day - 5; d <= day; d++ {
		wrong, err := c.Books().Compare(context.WithoutCancel(t.Context()), b, d)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%s: %v %q", d, err, wrong)
		}
	}
	if wrong, err := c.Books().CompareAll(t.Context(), b, day); err != nil || len(wrong) > 0 {
		t.Errorf("in all: %v %q", err, wrong)
	}
	if due := len(c.Books().Due(day)); due < 2 || len(c.Books().Opened(day)) < 24 {
		t.Errorf("%d things are wrong yesterday, %d in all", due, len(c.Books().Opened(day)))
	}
	if _, total, err := b.UnresolvedEntries(t.Context(), books.Page{Limit: 1}); err != nil || total != 0 {
		t.Errorf("%d card entries wait for their places: %v", total, err)
	}
}

func csvFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(names) < 2 {
		t.Fatalf("%d files in %q: %v", len(names), dir, err)
	}
	return names
}

func upload(t *testing.T, u *user, name string) (int, []byte) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return u.ask(http.MethodPost, "/api/v1/ledger/imports?name="+url.QueryEscape(filepath.Base(name)), text)
}

// demoCases: a month of cases in all states, with photos that can be looked at, and
// tasks for the sample inspector.
func demoCases(t *testing.T, c *City) {
	look := tourist(t, c)
	var page struct {
		Rows []struct {
			ID, State, Inspector, Light string
			Reported                    time.Time
		}
	}
	look.want(http.StatusOK, http.MethodGet, "/api/v1/cases?limit=1000", nil, &page)
	states, tasks, first := map[string]int{}, map[string]int{}, time.Now()
	for _, k := range page.Rows {
		states[k.State]++
		if k.Inspector == string(sampleInspector) {
			tasks[k.State]++
		}
		if k.Reported.Before(first) {
			first = k.Reported
		}
	}
	for _, w := range waiting() {
		if states[string(w.state)] < 1 {
			t.Errorf("no case is %s: %v", w.state, states)
		}
	}
	if tasks["verifying"] < 3 || tasks["checking"] < 3 || states["closed"] < 20 || time.Since(first) < 25*24*time.Hour {
		t.Errorf("cases since %s: %v, tasks %v", first, states, tasks)
	}
	await(t, "the charts to have all acts of the past", func() bool {
		rows := points(t, c, `SELECT count("case") FROM case_transition`)
		return len(rows) == 1 && int(rows[0]["count"].(float64)) >= c.Cases().Acts
	})
	demoPhoto(t, look, page.Rows[len(page.Rows)-1].ID)
}

func demoPhoto(t *testing.T, look *user, id string) {
	t.Helper()
	var steps []struct{ Media []struct{ SM3 string } }
	look.want(http.StatusOK, http.MethodGet, "/api/v1/cases/"+id+"/journal", nil, &steps)
	if len(steps) == 0 || len(steps[0].Media) == 0 {
		t.Fatalf("case %s was reported without a photo", id)
	}
	status, data := look.ask(http.MethodGet, "/api/v1/media/"+steps[0].Media[0].SM3, nil)
	if kind := http.DetectContentType(data); status != http.StatusOK || kind != "image/jpeg" {
		t.Errorf("the photo of case %s: status %d, %s", id, status, kind)
	}
}

// demoReadings: the registers have grown from hour to hour into what is read now.
func demoReadings(t *testing.T, c *City) {
	meter := c.OwnLeak()
	if meter == "" {
		t.Fatal("no meter can leak")
	}
	rows := points(t, c, fmt.Sprintf(`SELECT "value" FROM reading WHERE "meter"='%s' AND "quantity"='water.volume.forward' ORDER BY time`, meter))
	if len(rows) < 3*24-1 {
		t.Fatalf("%d points of %s, want some for each of 72 hours", len(rows), meter)
	}
	from := time.UnixMilli(int64(rows[0]["time"].(float64)))
	if age := time.Since(from); age < 70*time.Hour {
		t.Errorf("the first is %s old", age)
	}
	if !slices.IsSortedFunc(rows, func(a, b map[string]any) int { return int(1e6 * (a["value"].(float64) - b["value"].(float64))) }) {
		t.Errorf("the register of %s goes back", meter)
	}
	if rows[0]["value"] == rows[len(rows)-1]["value"] {
		t.Errorf("the register of %s stands still", meter)
	}
}

// demoLeak: the play deals with leaks by itself, but one waits for the user, who
// dispatches it and checks it on the phone page.
func demoLeak(t *testing.T, c *City) {
	ctx, stop := context.WithCancel(t.Context())
	played := make(chan error, 1)
	go func() { played <- c.Play(ctx) }()
	defer func() {
		stop()
		if err := <-played; err != nil {
			t.Error(err)
		}
	}()
	dispatcher := signIn(t, c, "dispatcher-1")
	own, _ := c.Truth(c.OwnLeak())
	mine := filed(t, c, c.OwnLeak())
	k := as(t, c, "dispatcher", "")
	await(t, "another leak to be closed by the play", func() bool {
		return len(k.list(url.Values{"state": {"closed"}, "class": {"citygrid-ext:event:leak"}})) > 0
	})
	if now := k.of(own.ID, schemas.EventLeak); len(now) != 1 || now[0].State != "filed" {
		t.Fatalf("the user's leak did not wait: %+v", now)
	}
	dispatcher.want(http.StatusCreated, http.MethodPost, "/api/v1/cases/"+mine.ID+"/acts", map[string]any{"act": "dispatch", "departments": []string{own.Authority}}, nil)
	state(t, c, mine.ID, "checking")
	phone := signIn(t, c, string(sampleInspector))
	phone.want(http.StatusCreated, http.MethodPost, "/api/v1/cases/"+mine.ID+"/acts", map[string]any{"act": "answer_check", "outcome": "yes"}, nil)
	state(t, c, mine.ID, "closed")
}
