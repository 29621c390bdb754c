package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
)

// ErrSetAside says that a run no longer counts.
var ErrSetAside = errors.New("the run was set aside, because its days were made again; its statement is in the files that it wrote")

// closingQuery: runs that count have rising numbers in the order of their days, so
// that what a run closed with is what it or an earlier one found and neither cleared.
const closingQuery = "SELECT d.*, COALESCE((SELECT s.state FROM decisions AS s WHERE s.diff_key = d.diff_key AND s.at_ms <= ? ORDER BY s.step DESC LIMIT 1), ?) AS state_then " +
	"FROM differences AS d WHERE d.utility = ? AND d.found_run <= ? AND (d.cleared_run = 0 OR d.cleared_run > ?) ORDER BY d.day, d.diff_key, d.found_run"

// ClosedWith lists the differences with which a run closed, the oldest facts first,
// each in the state that decisions had given it when the run was made. All are of
// one state of the books: no decision and no run that comes meanwhile can take one
// away or show one twice. A run that does not count any more is ErrSetAside, one that
// the books do not know ErrUnknown.
func (b *Books) ClosedWith(ctx context.Context, run int64) ([]DifferenceRecord, error) {
	var out []DifferenceRecord
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		r, err := runByID(ctx, tx, run)
		if err != nil {
			return err
		}
		if r.State != string(RunDone) {
			return ErrSetAside
		}
		var rows []struct {
			differenceRow
			Then string `bun:"state_then"`
		}
		err = tx.NewRaw(closingQuery, r.AtMillis, string(ledger.Open), r.Utility, r.ID, r.ID).Scan(ctx, &rows)
		out = make([]DifferenceRecord, len(rows))
		for n := range rows {
			out[n] = rows[n].record()
			out[n].State = ledger.State(rows[n].Then)
		}
		return err
	})
	return out, explain(fmt.Sprintf("differences of run %d", run), err)
}
