package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"citygrid/schemas"
)

// Options are what a hub's face needs.
type Options struct {
	// Live is the table of last values; required.
	Live *Live
	// Flow returns the hub's counters; required. It is called at most about
	// once a second and must not block.
	Flow func() FlowCounters
	// Series answers from the series store; required.
	Series Series
	// Diagnoses answers what a meter's diagnosis needs of the series store; nil: it
	// tells nothing of stored readings.
	Diagnoses Diagnoses
	// Zone is the city's, in which a day begins at midnight; nil: UTC.
	Zone *time.Location
	// Installations returns the installation records of one meter, in the order
	// of time; nil: there are none of any.
	Installations func(schemas.MeterID) []schemas.Installation
	// Completeness answers about what should have come; nil: this hub keeps no such ledger.
	Completeness Completeness
	// Ledger answers about the books of prepaid utilities; nil: this hub keeps
	// none.
	Ledger *Ledger
	// Cases answers about cases, media, codes and indicators; nil: this hub keeps
	// none.
	Cases *Cases
	// Registry answers about the asset register; nil: this hub keeps none.
	Registry *Registry
	// Accounts lets people sign in and keeps everybody else out; nil: this hub has
	// none, and the ledger, the cases and the register know tokens only.
	Accounts *Accounts
	// City answers about the city as a whole; nil: this hub keeps no grid.
	City *City
	// Ready are the named checks of /readyz. They are asked one after the
	// other with a deadline of ReadyTimeout each.
	Ready []Check
	// Metrics serves /metrics; nil: there is no such page.
	Metrics http.Handler
	// Pages holds the built pages, index.html at its top; nil: not built.
	Pages fs.FS
	// Version says what is running.
	Version Version
	// Now is the clock; required.
	Now func() time.Time
	// Log gets what a client must not be told; required.
	Log *slog.Logger
	// Closing ends the live streams when it is closed, so that the server can
	// shut down; nil: they end with their requests.
	Closing <-chan struct{}
	// MaxStreams bounds the clients of the live stream; 0: MaxStreams.
	MaxStreams int
}

// Check is one condition of being ready.
type Check struct {
	// Name is a short word: "broker", "store".
	Name string
	// Do is what the operator can do when it fails.
	Do string
	// Check returns nil when all is well.
	Check func(context.Context) error
}

// ReadyTimeout bounds each check of /readyz.
const ReadyTimeout = 3 * time.Second

// New returns the handler of the whole face.
func New(o Options) (http.Handler, error) {
	if o.Live == nil || o.Flow == nil || o.Series == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("make the hub's pages: Live, Flow, Series, Now and Log are required")
	}
	if err := errors.Join(o.Cases.check(), o.Accounts.check(), o.City.check()); err != nil {
		return nil, err
	}
	static, err := newPages(o.Pages)
	if err != nil {
		return nil, err
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = MaxStreams
	}
	mux := http.NewServeMux()
	flow := newFlowMeter(o.Live, o.Flow, o.Now)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Installations == nil {
		o.Installations = func(schemas.MeterID) []schemas.Installation { return nil }
	}
	rt := &routes{live: o.Live, flow: flow, series: o.Series, version: o.Version, log: o.Log, installations: o.Installations, diagnoses: o.Diagnoses, registry: o.Registry, zone: o.Zone}
	face := newHuma(mux)
	(&ledgerRoutes{o: o.Ledger, log: o.Log}).register(face)
	inCases := &caseRoutes{o: o.Cases, log: o.Log}
	inCases.register(face)
	register := &registryRoutes{o: o.Registry, log: o.Log}
	register.register(face)
	(&inspectRoutes{cases: inCases, registry: register, log: o.Log}).register(face)
	city := &cityRoutes{o: o.City, live: o.Live, log: o.Log, registry: register}
	city.register(face)
	rt.detailed = city.detailed
	signing := &accountRoutes{o: o.Accounts, log: o.Log}
	signing.register(face)
	signing.registerOIDC(face, mux)
	(&gapRoutes{ledger: o.Completeness, now: o.Now, log: o.Log}).register(face)
	rt.register(face)
	mux.Handle("GET /api/v1/stream", &stream{live: o.Live, flow: flow, max: o.MaxStreams, closing: o.Closing})
	mux.HandleFunc("/api/", unknownRoute)
	if o.Cases != nil && o.Cases.Open311 != nil {
		open311, err := newOpen311(o.Cases, o.Log)
		if err != nil {
			return nil, err
		}
		mux.Handle(open311Path, open311)
	}
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", &readiness{checks: o.Ready})
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.Handle("/", o.City.pictured(static))
	origin := http.NewCrossOriginProtection()
	if public := o.Accounts.publicOrigin(); public != "" {
		if err := origin.AddTrustedOrigin(public); err != nil {
			return nil, fmt.Errorf("make the hub's pages: accounts.public_url: %w", err)
		}
	}
	return guard(&gate{mux: mux, accounts: o.Accounts, views: newViews(o.Now), log: o.Log}, origin), nil
}

// guard puts the protections of every answer around h.
func guard(h http.Handler, origin *http.CrossOriginProtection) http.Handler {
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(http.StatusForbidden, codeCrossOrigin, "The request came from a page of another site.").write(w)
	}))
	protected := origin.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", contentPolicy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			head.Set("Cache-Control", "no-store") // a route may say otherwise
		}
		out := patiently(w)
		defer out.begin() // what net/http holds back for the end
		protected.ServeHTTP(out, r)
	})
}

// unknownRoute answers what no route of the API does, in the API's own form.
func unknownRoute(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET")
		problem(http.StatusMethodNotAllowed, codeMethod, "No address of the API takes this method here. /api/v1/openapi.yaml lists them.").write(w)
		return
	}
	problem(http.StatusNotFound, codeNotFound, "The API has no such address. /api/v1/openapi.yaml lists them.").write(w)
}

// healthz says that the process lives.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{\"status\":\"alive\"}\n"))
}

// readiness serves /readyz.
type readiness struct{ checks []Check }

// ReadyJSON is the answer of /readyz.
type ReadyJSON struct {
	Ready  bool        `json:"ready"`
	Checks []CheckJSON `json:"checks"`
}

// CheckJSON is one check of /readyz.
type CheckJSON struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Do    string `json:"do,omitempty"`
}

func (rd *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := ReadyJSON{Ready: true, Checks: []CheckJSON{}}
	for _, c := range rd.checks {
		one := CheckJSON{Name: c.Name, OK: true}
		if err := runCheck(r.Context(), c); err != nil {
			one = CheckJSON{Name: c.Name, Error: err.Error(), Do: c.Do}
			answer.Ready = false
		}
		answer.Checks = append(answer.Checks, one)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has gone: nobody is left to tell
}

func runCheck(ctx context.Context, c Check) error {
	ctx, cancel := context.WithTimeout(ctx, ReadyTimeout)
	defer cancel()
	return c.Check(ctx)
}
