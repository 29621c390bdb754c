package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"citygrid/simulators"
)

// TestSimulateTakesOrders breaks and mends a meter of a running fleet over HTTP.
func TestSimulateTakesOrders(t *testing.T) {
	ready, _ := startCommand(t, "simulate", "--meters", "40", "--control", "127.0.0.1:0")
	if !strings.HasPrefix(ready.URL, "http://127.0.0.1:") {
		t.Fatalf("ready: %+v", ready)
	}
	order := func(path, form, origin string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, ready.URL+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	leaky := leakyMeter(t)
	for _, tt := range []struct {
		name, path, form, origin string
		status                   int
		says                     string
	}{
		{"no such meter", "/break", "meter=W-999999&flow=4", "", http.StatusConflict, "not of this fleet"},
		{"no flow", "/break", "meter=" + leaky, "", http.StatusConflict, "want more than 0"},
		{"a flow that is no number", "/break", "meter=" + leaky + "&flow=much", "", http.StatusBadRequest, "is no number"},
		{"a page of another site", "/break", "meter=" + leaky + "&flow=4", "https://elsewhere.example", http.StatusForbidden, ""},
		{"nothing to mend", "/mend", "meter=" + leaky, "", http.StatusConflict, "nothing to mend"},
		{"a leak", "/break", "meter=" + leaky + "&flow=4.5", "", http.StatusOK, `"flow":4.5`},
		{"it leaks already", "/break", "meter=" + leaky + "&flow=4.5", "", http.StatusConflict, "already"},
		{"silence beside it", "/break", "meter=" + leaky + "&what=silent", "", http.StatusOK, `"what":"silent"`},
		{"mended", "/mend", "meter=" + leaky, "", http.StatusOK, `"to":`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := order(tt.path, tt.form, tt.origin); status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("%d %q, want %d and %q", status, body, tt.status, tt.says)
			}
		})
	}
	answer, err := http.Get(ready.URL + "/mishaps?" + url.Values{}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list []simulators.Mishap
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list) != 2 || list[0].To.IsZero() || !list[1].To.IsZero() {
		t.Errorf("%+v, %v, want the leak mended and the silence not", list, err)
	}
}

// leakyMeter is a meter of the fleet of 40 that can leak.
func leakyMeter(t *testing.T) string {
	t.Helper()
	fleet, err := simulators.NewFleet(simulators.FleetConfig{Meters: 40, Seed: 1, Start: testStart()})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fleet.Meters {
		if fleet.CanSuffer(m.ID, simulators.Leaks, 4) == nil {
			return string(m.ID)
		}
	}
	t.Fatal("none can leak")
	return ""
}
