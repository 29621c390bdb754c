package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// decisionRow is a row of decisions with its adjustment, if it has one.
type decisionRow struct {
	ID       int64  `bun:"id"`
	Key      string `bun:"diff_key"`
	Step     int64  `bun:"step"`
	State    string `bun:"state"`
	Who      string `bun:"who"`
	Why      string `bun:"why"`
	Evidence string `bun:"evidence"`
	Assignee string `bun:"assignee"`
	Rule     string `bun:"rule"`
	AtMillis int64  `bun:"at_ms"`
	Amount   int64  `bun:"amount"`
	Volume   int64  `bun:"volume"`
}

func (r *decisionRow) decision() ledger.Decision {
	return ledger.Decision{ID: r.ID, Key: r.Key, To: ledger.State(r.State), Who: r.Who, Why: r.Why, Evidence: r.Evidence, Assignee: r.Assignee,
		Rule: r.Rule, Amount: schemas.Fen(r.Amount), Volume: r.Volume, At: moment(r.AtMillis)}
}

func decisionsOf(ctx context.Context, db bun.IDB, key string) ([]ledger.Decision, error) {
	var rows []decisionRow
	err := db.NewRaw("SELECT d.*, COALESCE(a.amount, 0) AS amount, COALESCE(a.volume, 0) AS volume FROM decisions AS d "+
		"LEFT JOIN adjustments AS a ON a.decision = d.id WHERE d.diff_key = ? ORDER BY d.step", key).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	out := make([]ledger.Decision, len(rows))
	for n := range rows {
		out[n] = rows[n].decision()
	}
	return out, nil
}

// Decide takes the next step in the life of a difference and returns it as the
// books hold it: who, when and why, for ever. A difference that the books do not
// know is ErrUnknown, one that has cleared by itself ErrCleared; a step that its state does not allow *ledger.StepError; one
// that needs another person *ledger.SamePersonError. Closing takes effect in the
// figures of the next run.
func (b *Books) Decide(ctx context.Context, key string, d ledger.Decision) (ledger.Decision, error) {
	d.Key = key
	switch {
	case d.Who == "":
		return d, fmt.Errorf("decide on %s: nobody is named who decides", key)
	case d.Why == "":
		return d, fmt.Errorf("decide on %s: no reason is given; write why", key)
	case d.To == ledger.Assigned && d.Assignee == "":
		return d, fmt.Errorf("decide on %s: nobody is named to whom it is assigned", key)
	case d.To != ledger.Adjusted && (d.Amount != 0 || d.Volume != 0):
		return d, fmt.Errorf("decide on %s: an amount belongs to an adjustment only", key)
	}
	d.At = b.o.Now().UTC()
	err := b.change(ctx, func(tx bun.Tx) error { return decide(ctx, tx, &d) })
	var step *ledger.StepError
	var person *ledger.SamePersonError
	if errors.As(err, &step) || errors.As(err, &person) {
		return d, err
	}
	return d, explain("decide on "+key, err)
}

func decide(ctx context.Context, tx bun.Tx, d *ledger.Decision) error {
	// The number first: its lock makes decisions follow one another.
	id, err := take(ctx, tx, "decision", 1)
	if err != nil {
		return err
	}
	var rows, open int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*), COUNT(CASE WHEN cleared_run = 0 THEN 1 END) FROM differences WHERE diff_key = ?", d.Key).Scan(&rows, &open); err != nil {
		return err
	}
	if rows == 0 {
		return ErrUnknown
	}
	before, err := decisionsOf(ctx, tx, d.Key)
	if err != nil {
		return err
	}
	if _, err := ledger.Follow(before, *d); err != nil {
		return err
	}
	// An adjustment of what has come right by itself would make it wrong again; one
	// that was made before is still to be closed.
	if open == 0 && d.To != ledger.Closed {
		return ErrCleared
	}
	d.ID = id
	_, err = tx.ExecContext(ctx, "INSERT INTO decisions (id, diff_key, step, state, who, why, evidence, assignee, rule, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		id, d.Key, len(before)+1, string(d.To), d.Who, d.Why, d.Evidence, d.Assignee, d.Rule, millis(d.At))
	if err != nil {
		return err
	}
	if d.To == ledger.Adjusted {
		_, err := tx.ExecContext(ctx, "INSERT INTO adjustments (decision, diff_key, amount, volume, at_ms) VALUES (?, ?, ?, ?, ?)",
			id, d.Key, int64(d.Amount), d.Volume, millis(d.At))
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "UPDATE differences SET state = ? WHERE diff_key = ?", string(d.To), d.Key)
	return err
}

// Band is an age of differences, in days since the day of the fact.
type Band struct {
	From, To int // both included; To is 0 for no end
}

// Bands returns the bands of docs/reconciliation.md, the youngest first.
func Bands() []Band { return []Band{{0, 1}, {2, 3}, {4, 7}, {8, 30}, {31, 0}} }

// Of returns the first and last day of facts that are in the band on day.
func (a Band) Of(day ledger.Day) (first, last ledger.Day) {
	last = day - ledger.Day(a.From)
	if a.To == 0 {
		return minDay, last
	}
	return day - ledger.Day(a.To), last
}

const minDay = ledger.Day(-1 << 31)

// String writes the band as "2-3" or "31+".
func (a Band) String() string {
	if a.To == 0 {
		return fmt.Sprintf("%d+", a.From)
	}
	return fmt.Sprintf("%d-%d", a.From, a.To)
}
