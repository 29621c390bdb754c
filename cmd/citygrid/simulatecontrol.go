package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/simulators"
)

// control lets somebody break and mend simulated meters while they run.
type control struct{ fleet *simulators.Fleet }

// openControl serves control on an address of this machine until stop, and returns
// where. An empty address serves nothing.
func openControl(ctx context.Context, address string, fleet *simulators.Fleet) (url string, stop func(), err error) {
	if address == "" {
		return "", func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, cli.Failed(fmt.Errorf("--control: %w", err))
	}
	server := &http.Server{Handler: http.NewCrossOriginProtection().Handler(control{fleet}.handler()), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with Close; a listener that fails earlier shows in the answers
	}()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-ended }, nil
}

func (c control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mishaps", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, append([]simulators.Mishap{}, c.fleet.Mishaps()...))
	})
	mux.HandleFunc("POST /break", c.doBreak)
	mux.HandleFunc("POST /mend", c.doMend)
	return mux
}

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client has gone: nobody is left to tell
}

// doBreak takes the form values meter, what ("leaks" when left out) and, of a leak,
// flow in m3/h.
func (c control) doBreak(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<12)
	what, flow := whatOf(r), 0.0
	if text := r.FormValue("flow"); text != "" {
		var err error
		if flow, err = strconv.ParseFloat(text, 64); err != nil || math.IsInf(flow, 0) {
			http.Error(w, fmt.Sprintf("flow: %.40q is no number; write the m3/h of the leak, such as 4.5", text), http.StatusBadRequest)
			return
		}
	}
	m, err := c.fleet.Begin(schemas.MeterID(r.FormValue("meter")), what, flow, time.Now())
	answerMishap(w, m, err)
}

// doMend takes meter and what.
func (c control) doMend(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<12)
	m, err := c.fleet.Mend(schemas.MeterID(r.FormValue("meter")), whatOf(r), time.Now())
	answerMishap(w, m, err)
}

func whatOf(r *http.Request) string {
	if what := r.FormValue("what"); what != "" {
		return what
	}
	return simulators.Leaks
}

func answerMishap(w http.ResponseWriter, m simulators.Mishap, err error) {
	switch {
	case errors.Is(err, simulators.ErrMishap):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		answerJSON(w, m)
	}
}
