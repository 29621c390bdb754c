package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/adapters"
	"citygrid/collector"
	"citygrid/collector/spool"
	"citygrid/hub/api"
	"citygrid/internal/influxd/influxtest"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// readFunc is a meter.
type readFunc func(context.Context) ([]schemas.Reading, error)

func (f readFunc) Read(ctx context.Context) ([]schemas.Reading, error) { return f(ctx) }

// slotTime is the time between two reads of a meter of runCollector.
const slotTime = 200 * time.Millisecond

// runCollector runs c1 on a folder until its first meter was read often enough. It has a
// second one, which answers or does not.
func runCollector(t *testing.T, dir, broker string, answers bool, enough func(reads int) bool) {
	t.Helper()
	bundle, err := seal.ReadBundle(filepath.Join(dir, "keys", "c1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	reads := 0 // by the one goroutine of the line
	first := func(context.Context) ([]schemas.Reading, error) {
		if reads++; enough(reads) {
			end()
		}
		return voltage("P-1"), nil
	}
	second := func(context.Context) ([]schemas.Reading, error) {
		if !answers {
			return nil, &adapters.Error{Meter: "P-2", Class: adapters.Transient, Request: "a register", Err: errors.New("no answer")}
		}
		return voltage("P-2"), nil
	}
	c, err := collector.Open(collector.Options{
		Bundle: &bundle, Provider: seal.DefaultProvider(), DataDir: filepath.Join(dir, "box"),
		Lines: []collector.Line{{Name: "a", Meters: []collector.Meter{
			{ID: "P-1", Source: readFunc(first), Interval: slotTime}, {ID: "P-2", Source: readFunc(second), Interval: slotTime},
		}}},
		Batch: collector.BatchLimits{MaxReadings: 10, MaxAge: 20 * time.Millisecond},
		Spool: spool.Options{CommitEvery: time.Millisecond}, CardSpool: spool.Options{CommitEvery: time.Millisecond}, EventSpool: spool.Options{CommitEvery: time.Millisecond},
		Broker:   mqttlink.Config{URL: "tcp://" + broker, Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Version: "test", Random: rand.Reader, Drain: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Run(ctx), c.Close()); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatalf("only %d reads in %s", reads, patience)
	}
}

// voltage is what a meter shows now.
func voltage(id schemas.MeterID) []schemas.Reading {
	return []schemas.Reading{{Meter: id, Quantity: "power.voltage.l1", Unit: "V", Value: schemas.Decimal{Mantissa: 2301, Exponent: -1}, TakenAt: time.Now().UTC().Truncate(time.Millisecond)}}
}

// slotsOfHub asks for the completeness of c1 since a moment.
func slotsOfHub(t *testing.T, url string, since, until time.Time) (s api.CollectorSlotsJSON) {
	t.Helper()
	r, err := http.Get(url + "/api/v1/completeness?collector=c1&since=" + since.UTC().Format(time.RFC3339) + "&until=" + until.UTC().Format(time.RFC3339))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var list []api.CollectorSlotsJSON
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", r.StatusCode, err)
	}
	if len(list) == 1 {
		s = list[0]
	}
	lost := int64(0)
	for _, n := range s.Lost {
		lost += n
	}
	if s.Expected != s.Received+s.Refilled+s.Unknown+lost {
		t.Fatalf("does not add up: %+v", s)
	}
	return s
}

// A collector and a hub with their real parts: what a silent meter and a pause cost is told
// with its reason, nothing is left unknown, and readings of 90 days ago are taken and count
// as late.
func TestGapsEndToEnd(t *testing.T) {
	influxtest.Find(t)
	dir, broker := t.TempDir(), freePort(t)
	path := hubFile(t, dir, broker, "http://unused")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`influx: {url: "http://unused"}`), []byte("influx: {bundled: true}"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ready, stop := startCommand(t, "hub", "-c", path)
	until(t, ready.URL, "all well", func(_ int, r api.ReadyJSON) bool { return r.Ready })
	begun := time.Now().Truncate(time.Hour)
	runCollector(t, dir, broker, true, func(reads int) bool { return reads == 10 })
	ended, again := time.Now(), time.Time{}
	<-time.After(5 * slotTime) // the pause
	runCollector(t, dir, broker, false, func(reads int) bool {
		if reads == 1 {
			again = time.Now()
		}
		return reads > 10 && reads > 2*int(again.Sub(ended)/slotTime) // so that most slots of the second are silent
	})

	var s api.CollectorSlotsJSON
	defer func() { t.Logf("the last figures: %+v", s) }()
	until(t, ready.URL, "every slot is accounted for", func(int, api.ReadyJSON) bool {
		s = slotsOfHub(t, ready.URL, begun, time.Now().Add(time.Hour))
		return s.Received > 0 && s.Unknown == 0 && s.Lost["meter_silent"] > 0
	})
	if s.Meters != 2 || s.Received < 25 || s.Lost["collector_off"] < 8 || s.Lost["meter_silent"] < 10 || s.Told == nil || s.Late != 0 {
		t.Errorf("completeness %+v", s)
	}

	hour := time.Now().UTC().Add(-90 * 24 * time.Hour).Truncate(time.Hour)
	receipts := make(chan []byte, 10)
	publishSealed(t, dir, "tcp://"+broker, sealedBatch(t, dir, 100, hour.Add(30*time.Minute)), receipts)
	publishSealed(t, dir, "tcp://"+broker, sealedAccounts(t, dir, 101, schemas.SlotAccount{Meter: "P-1", Hour: hour, Interval: time.Hour, Planned: 1}), receipts)
	until(t, ready.URL, "the reading of 90 days ago has closed its gap", func(int, api.ReadyJSON) bool {
		s = slotsOfHub(t, ready.URL, hour, hour.Add(time.Hour))
		return s.Expected == 1 && s.Received == 1
	})

	var out bytes.Buffer
	cmd := newGaps(time.Now)
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"-c", path, "--since", "91d"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"P-2", "meter_silent", "collector probe says more", "COLLECTOR"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("gaps does not say %q:\n%s", want, out.String())
		}
	}
	stop()
}

// sealedAccounts is an envelope of c1 with accounts alone.
func sealedAccounts(t *testing.T, dir string, boot uint32, accounts ...schemas.SlotAccount) []byte {
	t.Helper()
	bundle, err := seal.ReadBundle(filepath.Join(dir, "keys", "c1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := seal.NewContext(boot, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{Provider: seal.DefaultProvider(), Key: bundle.Key, Tenant: bundle.Tenant, Collector: "c1",
		Generation: bundle.Generation, Role: seal.Up, ContentType: seal.Readings, Context: session})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := schemas.EncodeBatch(nil, &schemas.Batch{Collector: "c1", Area: "310115", SealedAt: time.Now().UTC().Truncate(time.Millisecond), Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	envelope, _, err := sealer.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}
