package main

import (
	"context"
	"errors"
	"fmt"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// clearingOf returns the API's view of clearing, nil for a hub without an issuer.
func clearingOf(l *openLedger) *api.Clearing {
	if l.settings.Issuer == "" {
		return nil
	}
	c := clearingFace{&cityClearing{openLedger: l, home: schemas.IssuerID(l.settings.Issuer)}}
	return &api.Clearing{Home: c.home, Desk: c, Files: c}
}

// clearingFace lets the API ask the books about clearing.
type clearingFace struct{ *cityClearing }

// clearingError is apiError with the errors of clearing.
func clearingError(err error) error {
	var taken *books.ClearingTakenError
	switch {
	case errors.As(err, &taken):
		return fmt.Errorf("%w: %w", api.ErrTaken, err)
	case errors.Is(err, books.ErrClearing):
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return apiError(err)
}

// Make makes files.
func (c clearingFace) Make(ctx context.Context, upto ledger.Day, by string) ([]api.ClearingFile, []clearing.Held, error) {
	made, err := c.MakeClearing(ctx, c.home, upto, by)
	return clearingFilesOf(made.Files), made.Held, clearingError(err)
}

// Take takes a file or an answer; its name says which.
func (c clearingFace) Take(ctx context.Context, u api.Upload) (api.ClearingFile, bool, error) {
	_, answer, err := clearing.ParseName(u.Name)
	if err != nil {
		return api.ClearingFile{}, false, fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	take := c.ReceiveClearing
	if answer {
		take = c.ReceiveClearingAnswer
	}
	f, repeated, err := take(ctx, c.home, u.Name, u.Raw, u.By)
	return clearingFileOf(&f), repeated, clearingError(err)
}

// List lists files.
func (c clearingFace) List(ctx context.Context, q api.ClearingQuery) ([]api.ClearingFile, int, error) {
	list, total, err := c.ClearingFiles(ctx, books.ClearingFilter{Direction: books.Direction(q.Direction), Partner: q.Partner, From: q.From, To: q.To,
		Unanswered: q.Unanswered, Page: books.Page{Limit: int64(q.Limit), Offset: int64(q.Offset)}})
	return clearingFilesOf(list), int(total), clearingError(err)
}

// Bytes returns a file or an answer.
func (c clearingFace) Bytes(ctx context.Context, name string) ([]byte, error) {
	raw, err := c.ClearingBytes(ctx, name)
	return raw, clearingError(err)
}

// Net nets what was exchanged.
func (c clearingFace) Net(ctx context.Context, from, to ledger.Day) (clearing.Netting, error) {
	n, err := c.NetClearing(ctx, c.home, from, to)
	return n, clearingError(err)
}

func clearingFilesOf(list []books.ClearingFile) []api.ClearingFile {
	out := make([]api.ClearingFile, len(list))
	for n := range list {
		out[n] = clearingFileOf(&list[n])
	}
	return out
}

func clearingFileOf(f *books.ClearingFile) api.ClearingFile {
	out := api.ClearingFile{Key: f.Key, Direction: string(f.Direction), Utility: f.Utility, Sums: f.Sums, Digest: f.Digest, At: f.At, By: f.By}
	if a := f.Answer; a != nil {
		out.Answer = &api.ClearingAnswer{Accepted: a.Accepted, Refused: a.Refused, Digest: a.Digest, At: a.At, By: a.By}
	}
	return out
}
