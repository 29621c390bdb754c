package books

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// firstBillFile is the first number of the files of bills, so that they leave the
// numbers of files that the channel itself sends alone.
const firstBillFile = 900_001

// write keeps the bills of a part with their rows of L1 in one transaction.
func (m *biller) write(ctx context.Context, list []draft, out []BillOutcome) error {
	var made []int
	for n := range out {
		if out[n].State == BillMade {
			made = append(made, n)
		}
	}
	if len(made) == 0 {
		return nil
	}
	var files []ledger.Import
	err := m.b.change(ctx, func(tx bun.Tx) error {
		files = nil
		id, err := take(ctx, tx, "bill", len(made)) // others wait here
		if err != nil {
			return err
		}
		if err := m.unbilled(ctx, tx, list, made); err != nil {
			return err
		}
		channels := make(map[string][]*billing.Record)
		for i, n := range made {
			out[n].Bill.ID = id + int64(i)
			channels[out[n].Channel] = append(channels[out[n].Channel], out[n].Bill)
		}
		for _, channel := range slices.Sorted(maps.Keys(channels)) {
			file, err := m.file(ctx, tx, channel, channels[channel])
			if err != nil {
				return err
			}
			if file.ID != 0 {
				files = append(files, file)
			}
		}
		return m.insert(ctx, tx, list, out, made)
	})
	if err == nil {
		m.sum.Files = append(m.sum.Files, files...)
	}
	return err
}

// unbilled looks whether the bills before are still the last ones.
func (m *biller) unbilled(ctx context.Context, tx bun.Tx, list []draft, made []int) error {
	want, places := make(map[found]int64), make([]int64, len(made))
	for i, n := range made {
		at := found{list[n].row.Place, list[n].row.From}
		want[at], places[i] = 0, at.place
		if list[n].last != nil {
			want[at] = list[n].last.ID
		}
	}
	var rows []struct {
		Place int64 `bun:"place"`
		From  int64 `bun:"from_ms"`
		Last  int64 `bun:"last"`
	}
	err := tx.NewRaw("SELECT place, from_ms, MAX(id) AS last FROM bills WHERE place IN (?) GROUP BY place, from_ms", bun.List(places)).Scan(ctx, &rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if last, ours := want[found{r.Place, r.From}]; ours && last != r.Last {
			return errBilledMeanwhile
		}
	}
	return nil
}

// file stores the bills of one channel as a file of sales, in our own form
// (docs/settlement-files.md), so that reconciliation takes them and the channel can
// be sent just these bytes. Where nothing is owed there is no file.
func (m *biller) file(ctx context.Context, tx bun.Tx, channel string, bills []*billing.Record) (ledger.Import, error) {
	f := &ledger.File{FileID: ledger.FileID{Content: ledger.SalesFile, Utility: m.q.Utility, Channel: channel, Day: bills[0].Day, Number: firstBillFile},
		Mapping: "citygrid 1", At: m.now, By: m.q.By}
	for _, r := range bills {
		if row, owed := r.Sale(); owed {
			f.Sales = append(f.Sales, row)
		}
	}
	if len(f.Sales) == 0 {
		return ledger.Import{}, nil
	}
	err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(number) + 1, ?) FROM imports WHERE content = ? AND utility = ? AND channel = ? AND day = ? AND number >= ?",
		firstBillFile, string(f.Content), string(f.Utility), channel, int64(f.Day), firstBillFile).Scan(&f.Number)
	if err != nil {
		return ledger.Import{}, err
	}
	f.Name = fmt.Sprintf("bills-%s-%s-%d.csv", m.q.Utility, m.q.Month, f.Number)
	f.Raw = salesText(f)
	f.Digest = ledger.DigestOf(f.Raw)
	packed, err := pack(f.Raw)
	if err != nil {
		return ledger.Import{}, err
	}
	done, err := m.b.storeFile(ctx, tx, f, packed)
	if err != nil {
		return done, err
	}
	if done.Unresolved > 0 { // the account's installation is in the register
		return done, errors.New("the register has changed meanwhile; make the bills again")
	}
	for _, r := range bills {
		if r.Amount > 0 {
			r.Import = done.ID
		}
	}
	return done, nil
}

// salesText writes a file of bills as package intake reads it.
func salesText(f *ledger.File) []byte {
	var s strings.Builder
	fmt.Fprintf(&s, "#citygrid,1,sales,%s,%s,%s,%d\norder,kind,meter,meter_number,customer,purchase,amount,due,at\n", f.Utility, f.Channel, f.Day, f.Number)
	for n := range f.Sales {
		r := &f.Sales[n]
		fmt.Fprintf(&s, "%s,%s,%s,%s,%s,,%s,%s,%s\n", r.Order, r.Kind, r.Meter, r.MeterNumber, r.Customer, r.Amount, r.Due, r.At.UTC().Format(time.RFC3339))
	}
	debit, credit := sums(f)
	total := fmt.Sprintf("#total,%d,%s,%s", len(f.Sales), schemas.Fen(debit), schemas.Fen(credit))
	digest := ledger.DigestOf([]byte(s.String()))
	return []byte(s.String() + total + "," + digest.String() + "\n")
}

// insert adds the rows of bills.
func (m *biller) insert(ctx context.Context, tx bun.Tx, list []draft, out []BillOutcome, made []int) (err error) {
	into := m.b.db.Bulk(tx, "bills", "id, place, from_ms, month, utility, meter, channel, order_no, day, due, begin_ms, end_ms, amount, late, import_id, body, digest, at_ms, by_whom", "")
	for _, n := range made {
		r, row := out[n].Bill, list[n].row
		body, digest := encodeBill(r)
		r.Digest = digest
		late := 0
		if r.Terms.Late != nil || len(r.Fees) > 0 {
			late = 1
		}
		if err = into.Add(ctx, r.ID, row.Place, row.From, int64(r.Month), string(r.Utility), string(r.Meter), r.Channel, r.Order, int64(r.Day), int64(r.Due),
			millis(r.Begin()), millis(r.End()), int64(r.Amount), late, r.Import, string(body), digest.String(), millis(r.At), r.By); err != nil {
			break
		}
	}
	return into.End(ctx, err)
}
