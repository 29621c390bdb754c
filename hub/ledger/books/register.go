package books

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
)

// StoreRegister takes over places and their installations from the asset register.
// Places that are not named stay as they are. An installation is known by its start
// and can be ended or given another number or customer; one that rows of the books
// refer to cannot be taken away, and a place cannot change its utility. Entries and
// sales whose meter was unknown are placed when the register now knows it.
func (b *Books) StoreRegister(ctx context.Context, places []ledger.Place) error {
	err := b.change(ctx, func(tx bun.Tx) error {
		changed := false
		for part := range slices.Chunk(places, chunk) {
			c, err := b.storePlaces(ctx, tx, part)
			if err != nil {
				return err
			}
			changed = changed || c
		}
		if !changed {
			return nil
		}
		if err := b.analyse(ctx, tx, len(places)); err != nil {
			return err
		}
		return b.placeUnresolved(ctx, tx)
	})
	return explain("store the asset register", err)
}

// analyse tells PostgreSQL what a large import has made of the register: without
// figures it reads the whole of it for every batch of entries.
func (b *Books) analyse(ctx context.Context, tx bun.Tx, places int) error {
	if b.sqlite() || places < chunk {
		return nil
	}
	_, err := tx.ExecContext(ctx, "ANALYZE places, installations")
	return err
}

// placeRow is a row of places.
type placeRow struct {
	bun.BaseModel `bun:"table:places"`
	ID            int64  `bun:"id"`
	Meter         string `bun:"meter"`
	Utility       string `bun:"utility"`
	Purse         string `bun:"purse"`
	Plan          string `bun:"plan"`
	Readout       string `bun:"readout"`
	Revision      int64  `bun:"revision"`
}

func rowOf(p *ledger.Place) placeRow {
	return placeRow{Meter: string(p.Meter), Utility: string(p.Utility), Purse: string(p.Purse), Plan: p.Plan, Readout: string(p.Readout)}
}

func (b *Books) storePlaces(ctx context.Context, tx bun.Tx, places []ledger.Place) (changed bool, err error) {
	known, err := knownPlaces(ctx, tx, places)
	if err != nil {
		return false, err
	}
	var fresh []placeRow
	var altered []int64
	for n := range places {
		p := &places[n]
		if err := checkPlace(p); err != nil {
			return false, err
		}
		row, old := rowOf(p), known[string(p.Meter)]
		switch row.ID, row.Revision = old.ID, old.Revision; {
		case old.ID == 0:
			fresh = append(fresh, row)
		case old.Utility != row.Utility:
			return false, fmt.Errorf("meter %s: the books have it for %s, the register for %s; a place of another utility needs another meter id", p.Meter, old.Utility, row.Utility)
		case old != row:
			altered = append(altered, row.ID)
			if _, err := tx.NewUpdate().Model(&row).Where("id = ?", row.ID).Exec(ctx); err != nil {
				return false, err
			}
		}
		known[row.Meter] = row
	}
	if err := addPlaces(ctx, tx, fresh, known); err != nil {
		return false, err
	}
	touched, err := b.storeInstallations(ctx, tx, places, known)
	if err != nil {
		return false, err
	}
	for _, p := range fresh {
		touched[p.ID] = true
	}
	for _, id := range altered {
		touched[id] = true
	}
	return len(touched) > 0, b.revise(ctx, tx, slices.Sorted(maps.Keys(touched)))
}

// revise gives changed places a new revision, by which the next run knows them,
// and lets rows come again that a run refused there.
func (b *Books) revise(ctx context.Context, tx bun.Tx, places []int64) error {
	if len(places) == 0 {
		return nil
	}
	revision, err := take(ctx, tx, "revision", 1)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE places SET revision = ? WHERE id IN (?)", revision, bun.List(places)); err != nil {
		return err
	}
	return b.repeatRefused(ctx, tx, places)
}

func knownPlaces(ctx context.Context, tx bun.Tx, places []ledger.Place) (map[string]placeRow, error) {
	meters := make([]string, len(places))
	for n, p := range places {
		meters[n] = string(p.Meter)
	}
	var rows []placeRow
	if err := tx.NewSelect().Model(&rows).Where("meter IN (?)", bun.List(meters)).Scan(ctx); err != nil {
		return nil, err
	}
	known := make(map[string]placeRow, len(places))
	for _, r := range rows {
		known[r.Meter] = r
	}
	return known, nil
}

func addPlaces(ctx context.Context, tx bun.Tx, fresh []placeRow, known map[string]placeRow) error {
	if len(fresh) == 0 {
		return nil
	}
	id, err := take(ctx, tx, "place", len(fresh))
	if err != nil {
		return err
	}
	for n := range fresh {
		fresh[n].ID = id + int64(n)
		known[fresh[n].Meter] = fresh[n]
	}
	_, err = tx.NewInsert().Model(&fresh).Exec(ctx)
	return err
}

// checkPlace refuses what the register must not hold.
func checkPlace(p *ledger.Place) error {
	if err := p.Meter.Validate(); err != nil {
		return err
	}
	var end time.Time
	for n, i := range p.Installations {
		switch {
		case i.From.IsZero():
			return fmt.Errorf("meter %s: an installation without a start", p.Meter)
		case n > 0 && (end.IsZero() || i.From.Before(end)):
			return fmt.Errorf("meter %s: the installation from %s begins before the one before it has ended; correct the register",
				p.Meter, i.From.UTC().Format(time.RFC3339))
		case !i.To.IsZero() && !i.To.After(i.From):
			return fmt.Errorf("meter %s: the installation from %s ends before it begins", p.Meter, i.From.UTC().Format(time.RFC3339))
		}
		end = i.To
	}
	return nil
}

// installationRow is a row of installations.
type installationRow struct {
	bun.BaseModel `bun:"table:installations"`
	Place         int64  `bun:"place"`
	From          int64  `bun:"from_ms"`
	To            int64  `bun:"to_ms"`
	Number        string `bun:"number"`
	Customer      string `bun:"customer"`
}

func (b *Books) storeInstallations(ctx context.Context, tx bun.Tx, places []ledger.Place, known map[string]placeRow) (touched map[int64]bool, err error) {
	ids := make([]int64, len(places))
	for n, p := range places {
		ids[n] = known[string(p.Meter)].ID
	}
	var held []installationRow
	if err := tx.NewSelect().Model(&held).Where("place IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	old := make(map[found]installationRow, len(held))
	for _, h := range held {
		old[found{h.Place, h.From}] = h
	}
	var fresh []installationRow
	touched = make(map[int64]bool)
	for n, p := range places {
		for _, i := range p.Installations {
			row := installationRow{Place: ids[n], From: millis(i.From), To: millis(i.To), Number: i.MeterNumber, Customer: string(i.Customer)}
			key := found{row.Place, row.From}
			if before, ok := old[key]; !ok || before != row {
				fresh = append(fresh, row)
				touched[row.Place] = true
			}
			delete(old, key)
		}
	}
	for gone := range old {
		touched[gone.place] = true
		if err := removeInstallation(ctx, tx, gone); err != nil {
			return nil, err
		}
	}
	return touched, b.upsertInstallations(ctx, tx, fresh)
}

func (b *Books) upsertInstallations(ctx context.Context, tx bun.Tx, rows []installationRow) (err error) {
	into := b.db.Bulk(tx, "installations", "place, from_ms, to_ms, number, customer",
		"ON CONFLICT (place, from_ms) DO UPDATE SET to_ms = EXCLUDED.to_ms, number = EXCLUDED.number, customer = EXCLUDED.customer")
	for _, r := range rows {
		if err = into.Add(ctx, r.Place, r.From, r.To, r.Number, r.Customer); err != nil {
			break
		}
	}
	return into.End(ctx, err)
}

func removeInstallation(ctx context.Context, tx bun.Tx, i found) error {
	var used bool
	err := tx.NewRaw("SELECT EXISTS (SELECT 1 FROM card_entries WHERE place = ? AND from_ms = ?) OR EXISTS (SELECT 1 FROM sales WHERE place = ? AND from_ms = ?)",
		i.place, i.from, i.place, i.from).Scan(ctx, &used)
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("the register no longer has the installation from %s of place %d, but entries or sales refer to it; its start cannot change any more",
			moment(i.from).Format(time.RFC3339), i.place)
	}
	_, err = tx.NewDelete().Model((*installationRow)(nil)).Where("place = ? AND from_ms = ?", i.place, i.from).Exec(ctx)
	return err
}
