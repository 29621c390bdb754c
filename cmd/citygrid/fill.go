package main

import (
	"context"
	"fmt"

	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

var _ books.Registers = (*store.Store)(nil)

// openReadings opens the InfluxDB of the configuration for a command beside the
// hub; close it. It is nil where the command cannot know one: without a
// configuration, and with the bundled InfluxDB, whose port only the hub knows. A
// run is then made through the hub if it is to have the meters' registers.
func (l *openLedger) openReadings() (*store.Store, error) {
	if l.folder == nil || l.folder.Influx.Bundled || l.folder.Influx.URL == "" {
		return nil, nil
	}
	in := l.folder.Influx
	var token secret.Secret
	if in.Token != "" {
		var err error
		if token, err = seal.ReadPassphrase(sourceIn(l.folder, in.Token)); err != nil {
			return nil, fmt.Errorf("influx.token (leave it out for none): %w", err)
		}
	}
	encrypted, err := storeTLS(l.folder)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(store.Config{URL: in.URL, Org: in.Org, Bucket: in.Bucket, Token: token, TLS: encrypted})
	if err != nil {
		return nil, fmt.Errorf("influx: %w", err)
	}
	return s, nil
}

// fillUse fills in the registers that a run over span is to compare purses with,
// from the meters' readings; progress may be nil. Without them the run must not be
// made: what a run has taken is not filled in any more.
func (l *openLedger) fillUse(ctx context.Context, utility schemas.Medium, span reconcile.Span, from books.Registers, progress func(books.Progress)) (books.FillSummary, error) {
	done, err := l.FillUse(ctx, utility, span, from, progress)
	if err != nil {
		return done, fmt.Errorf("%w; the run is not made, because what it takes without registers stays without; "+
			"see to InfluxDB (influx in the configuration) and make it again", err)
	}
	return done, nil
}
