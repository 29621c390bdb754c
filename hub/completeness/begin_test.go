package completeness

import (
	"context"
	"testing"
	"time"
)

// TestRunGoesOnWithoutRoom: a ledger that cannot note its beginning, as on a full disk,
// tries again and keeps the hub running; and it does not take for closed what it has not
// looked at.
func TestRunGoesOnWithoutRoom(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		if _, err := w.l.db.Write.ExecContext(t.Context(), "ALTER TABLE completeness_facts RENAME TO elsewhere"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if err := w.l.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := w.l.db.Write.ExecContext(t.Context(), "ALTER TABLE elsewhere RENAME TO completeness_facts"); err != nil {
			t.Fatal(err)
		}
		var open int
		if err := w.l.db.Read.NewRaw("SELECT COUNT(*) FROM completeness_facts WHERE name = 'open'").Scan(t.Context(), &open); err != nil || open != 1 {
			t.Errorf("%d notes of an open ledger, %v; the next hub must look at what this one could not", open, err)
		}
	})
}
