// Package promrules tries the alarm rules of deploy/prometheus with the query engine of
// Prometheus itself: each fires on what it is about, and is silent in a good city. It is
// a module of its own, because nothing else here needs Prometheus.
package promrules

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// trouble has, for each alarm, series of four hours, one sample a minute, on which it
// must fire in the end. In good nothing fires.
var trouble = map[string]string{
	"CitygridHubDown":                  `up{job="citygrid-hub"} 1 0x240`,
	"CitygridStoreDown":                `citygrid_store_down_seconds 0x230 60+60x10`,
	"CitygridNothingArrives":           `citygrid_hub_received_total 0+100x200 20000x40`,
	"CitygridPointsRejected":           `citygrid_store_rejected_points 0x235 2x5`,
	"CitygridLettersFull":              `citygrid_hub_withheld_total 0x235 1+1x5`,
	"CitygridEnvelopesMissing":         `citygrid_hub_missing_envelopes 3x240`,
	"CitygridGapsOpen":                 `citygrid_hub_gap_slots{reason="collector_off"} 4x240`,
	"CitygridCollectorsSilent":         `citygrid_hub_silent_collectors 1x240`,
	"CitygridForgery":                  `citygrid_hub_refused_total{code="tag_wrong"} 0x200 1x40`,
	"CitygridRefused":                  `citygrid_hub_refused_total{code="schema"} 0x200 1x40`,
	"CitygridReplayStateNotSaved":      `citygrid_hub_replay_save_failures_total 0x235 1x5`,
	"CitygridCardsWait":                `citygrid_hub_card_envelopes_left_total 0x220 1+1x20`,
	"CitygridEventsWait":               `citygrid_hub_event_envelopes_left_total 0x220 1+1x20`,
	"CitygridSlow":                     `citygrid_hub_latency_seconds{quantile="0.99"} 61x240`,
	"CitygridCasesOverdue":             `citygrid_cases_overdue 1x240`,
	"CitygridCertificateEnds":          `citygrid_certificate_broker_days 29x240`,
	"CitygridCollectorCertificatesEnd": `citygrid_certificate_collectors_ending 2x240`,
	"CitygridConnectionsHeld":          "citygrid_http_evicted_connections 0x230 200x10\ncitygrid_http_refused_connections 0x240",
	"CitygridBrokerFills":              "citygrid_broker_stored_bytes 80x240\ncitygrid_broker_stored_limit_bytes 100x240",
	"CitygridCollectorDown":            `up{job="citygrid-collector"} 1 0x240`,
	"CitygridReadingStopped":           `citygrid_collector_spool_full 0x200 1x40`,
	"CitygridSpoolFills":               "citygrid_spool_bytes 71x240\ncitygrid_spool_quota_bytes 100x240",
	"CitygridSpoolDropped":             `citygrid_collector_spool_dropped_total{reason="spool_full"} 0x200 7x40`,
	"CitygridCollectorsDropped":        `citygrid_spools_dropped_total 0x200 7x40`,
	"CitygridSpoolDamaged":             "citygrid_spool_lost_records 0x240\ncitygrid_card_spool_lost_records 1x240\ncitygrid_event_spool_lost_records 0x240",
	"CitygridMeterFails":               `citygrid_meter_success_ratio{meter="W-1"} 0.5x240`,
}

const good = `
up{job="citygrid-hub"} 1x240
up{job="citygrid-collector"} 1x240
citygrid_store_down_seconds 0x240
citygrid_hub_received_total 0+100x240
citygrid_store_rejected_points 5x240
citygrid_hub_withheld_total 3x240
citygrid_hub_missing_envelopes 0x240
citygrid_hub_gap_slots{reason="collector_off"} 0x240
citygrid_hub_silent_collectors 0x240
citygrid_hub_refused_total{code="tag_wrong"} 3x240
citygrid_hub_refused_total{code="schema"} 3x240
citygrid_hub_replay_save_failures_total 1x240
citygrid_hub_card_envelopes_left_total 4x240
citygrid_hub_event_envelopes_left_total 4x240
citygrid_hub_latency_seconds{quantile="0.5"} 61x240
citygrid_hub_latency_seconds{quantile="0.99"} 59x240
citygrid_cases_overdue 0x240
citygrid_certificate_broker_days 31x240
citygrid_certificate_collectors_ending 0x240
citygrid_http_evicted_connections 3x240
citygrid_http_refused_connections 0x240
citygrid_broker_stored_bytes 10x240
citygrid_broker_stored_limit_bytes 100x240
citygrid_collector_spool_full 0x240
citygrid_spool_bytes 10x240
citygrid_spool_quota_bytes 100x240
citygrid_collector_spool_dropped_total{reason="spool_full"} 7x240
citygrid_spools_dropped_total 7x240
citygrid_spool_lost_records 0x240
citygrid_card_spool_lost_records 0x240
citygrid_event_spool_lost_records 0x240
citygrid_meter_success_ratio{meter="W-1"} 1x240
`

const (
	file  = "../../deploy/prometheus/alerts.yaml"
	pages = "../../docs/operations.md"
)

func TestAlarms(t *testing.T) {
	groups := rules(t)
	manual, err := os.ReadFile(pages)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			seen++
			t.Run(r.Alert, func(t *testing.T) {
				if r.Annotations["summary"] == "" || r.Annotations["do"] == "" || r.Labels["severity"] == "" {
					t.Error("an alarm says what is wrong, what to do, and how urgent it is")
				}
				if !strings.Contains(string(manual), "`"+r.Alert+"`") {
					t.Errorf("%s does not say what it means", pages)
				}
				series, ok := trouble[r.Alert]
				if !ok {
					t.Fatal("no series that it must fire on")
				}
				if !fires(t, r.Expr, series) {
					t.Errorf("silent on %s", series)
				}
				if fires(t, r.Expr, good) {
					t.Error("fires in a good city")
				}
			})
		}
	}
	if seen != len(trouble) {
		t.Errorf("%d alarms, series for %d", seen, len(trouble))
	}
}

// TestNames: a rule asks for names that the programs export. Their parts stand as texts in
// the sources: that of the program's part, and that of the figure.
func TestNames(t *testing.T) {
	texts, groups := sourceTexts(t), rules(t)
	known := func(name string) bool {
		part, figure, found := strings.Cut(name, "_")
		for ; found; part, figure, found = next(part, figure) {
			if texts[part] && texts[figure] || texts["_"+figure] {
				return true
			}
		}
		return texts["citygrid_"+name]
	}
	asked := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			for _, m := range regexp.MustCompile(`citygrid_(\w*[a-z0-9])\b`).FindAllStringSubmatch(r.Expr, -1) {
				if asked++; !known(m[1]) {
					t.Errorf("%s asks for %s, which nothing exports", r.Alert, m[0])
				}
			}
			for _, m := range regexp.MustCompile(`__name__=~"citygrid_(\w+?)_?\.`).FindAllStringSubmatch(r.Expr, -1) {
				if !texts[m[1]] {
					t.Errorf("%s asks for names that begin with %s", r.Alert, m[1])
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d names in the rules", asked)
	}
}

// next moves a word from the figure to the part.
func next(part, figure string) (string, string, bool) {
	word, rest, found := strings.Cut(figure, "_")
	return part + "_" + word, rest, found
}

// sourceTexts is what stands in quotes in the sources of the programs.
func sourceTexts(t *testing.T) map[string]bool {
	t.Helper()
	quoted, texts := regexp.MustCompile(`"([a-z0-9_]+)"`), map[string]bool{}
	for _, dir := range []string{"collector", "hub", "cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range quoted.FindAllSubmatch(text, -1) {
				texts[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func rules(t *testing.T) *rulefmt.RuleGroups {
	t.Helper()
	groups, errs := rulefmt.ParseFile(file, false, model.LegacyValidation)
	for _, err := range errs {
		t.Error(err)
	}
	return groups
}

// fires reports whether expr gives anything after four hours of series.
func fires(t *testing.T, expr, series string) bool {
	t.Helper()
	store := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(strings.TrimSpace(series), "\n", "\n  "))
	defer store.Close()
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true})
	q, err := engine.NewInstantQuery(context.Background(), store, nil, expr, time.Unix(0, 0).Add(4*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	result := q.Exec(context.Background())
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	v, err := result.Vector()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", expr, err))
	}
	return len(v) > 0
}
