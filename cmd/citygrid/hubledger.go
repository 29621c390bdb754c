package main

import (
	"context"
	"fmt"

	"citygrid/hub/api"
	"citygrid/hub/ingest"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

// openBooks opens the books that the configuration names, if it names any, and
// takes its tariffs into them.
func (h *hubProgram) openBooks(ctx context.Context) error {
	if h.cfg.Ledger.DSN == "" {
		return nil
	}
	l := &openLedger{settings: h.cfg.Ledger, folder: h.cfg}
	if err := l.open(ctx); err != nil {
		return cli.Failed(err)
	}
	h.books, h.runner = l, newRunner(l, h.log)
	if err := l.takeTariffs(ctx, "hub"); err != nil {
		return fmt.Errorf("ledger.tariffs: %w", err)
	}
	return nil
}

func (h *hubProgram) closeBooks() error {
	if h.books == nil {
		return nil
	}
	return cli.Failed(h.books.Close())
}

// cardStore is where card entries go; a nil interface without books.
func (h *hubProgram) cardStore() ingest.CardStore {
	if h.books == nil {
		return nil
	}
	return h.books
}

// ledgerOptions adds the ledger to the hub's face.
func (h *hubProgram) ledgerOptions(o *api.Options) error {
	if h.books == nil {
		return nil
	}
	auth, err := api.NewTokens(peopleOf(&h.cfg.Ledger))
	if err != nil {
		return fmt.Errorf("ledger.people: %w", err)
	}
	o.Ledger = &api.Ledger{Auth: auth, Files: ledgerFace{h.books}, Runner: h.runner, Runs: ledgerFace{h.books},
		Differences: differencesFace{h.books}, Register: registerFace{h.books},
		Accounts: billsFace{h.books}, Bills: billsFace{h.books}, Clearing: clearingOf(h.books), Desk: deskOf(h.books)}
	o.Ready = append(o.Ready, api.Check{Name: "ledger", Do: "look whether the books (ledger.dsn) can be reached; card entries wait at the collectors",
		Check: func(ctx context.Context) error {
			_, err := h.books.Imports(ctx, books.Page{Limit: 1})
			return err
		}})
	return nil
}

// registerFace is the API's view of the asset register and the tariffs.
type registerFace struct{ *openLedger }

// Places lists places by meter id.
func (f registerFace) Places(ctx context.Context, utility schemas.Medium, after schemas.MeterID, limit int) ([]ledger.Place, error) {
	list, err := f.Books.Places(ctx, utility, after, limit)
	return list, apiError(err)
}

// Tariffs returns the files that this hub took into the books when it started.
func (f registerFace) Tariffs(context.Context) ([]api.TariffFile, error) { return f.taken, nil }
