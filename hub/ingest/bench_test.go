package ingest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func testOptions(t testing.TB) Options {
	return Options{
		Tenant: testTenant, Provider: seal.DefaultProvider(), Master: newTestMaster(t), Enrolled: enrolledForTest,
		Store: newFakeStore(), Observer: newFakeObserver(), Dir: t.TempDir(), Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), Random: rand.Reader,
	}
}

// nullStore never answers.
type nullStore struct{ readings int }

func (s *nullStore) Submit(_ context.Context, readings []schemas.Reading, _ func(error)) error {
	s.readings += len(readings)
	return nil
}

// BenchmarkIntake takes envelopes of 100 readings from their bytes to the
// store's door: parse, open, verify, check for repetition, decode.
func BenchmarkIntake(b *testing.B) {
	const perEnvelope = 100
	store := &nullStore{}
	o := testOptions(b)
	o.Store = store
	r, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	s := newSender(b, o.Master.(*seal.Master), "c1")
	envelopes := make([][]byte, 1000)
	for i := range envelopes {
		envelopes[i] = s.batch(perEnvelope, 2300)
	}
	b.SetBytes(int64(len(envelopes[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(envelopes) == 0 {
			r.pending, r.held = newPendingSet(r.replay), newHeld() // or they would be copies of pending ones
		}
		if err := r.intake(b.Context(), mqttlink.Message{Topic: readingsTopic("c1"), Payload: envelopes[i%len(envelopes)]}); err != nil {
			b.Fatal(err)
		}
	}
	if store.readings != b.N*perEnvelope {
		b.Fatalf("%d readings reached the store, want %d", store.readings, b.N*perEnvelope)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(store.readings), "ns/reading")
}
