package books

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// ClearingFilter picks clearing files; zero fields pick all.
type ClearingFilter struct {
	Direction Direction
	Partner   schemas.IssuerID
	// From and To are the first and last accounting day; 0 for no bound.
	From, To ledger.Day
	// Unanswered picks those without an answer.
	Unanswered bool
	Page
}

func (f *ClearingFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	if f.Direction != "" {
		q = q.Where("f.direction = ?", string(f.Direction))
	}
	if f.Partner != "" {
		q = q.Where("(f.from_issuer = ? OR f.to_issuer = ?)", string(f.Partner), string(f.Partner))
	}
	if f.From != 0 {
		q = q.Where("f.day >= ?", int64(f.From))
	}
	if f.To != 0 {
		q = q.Where("f.day <= ?", int64(f.To))
	}
	if f.Unanswered {
		q = q.Where("a.file IS NULL")
	}
	return q
}

// answeredRow is a file with its answer.
type answeredRow struct {
	clearingRow
	AnswerFile       sql.NullInt64  `bun:"answer_file"`
	Accepted         sql.NullInt64  `bun:"accepted"`
	AcceptedTaken    sql.NullInt64  `bun:"accepted_taken"`
	AcceptedReturned sql.NullInt64  `bun:"accepted_returned"`
	Refused          sql.NullInt64  `bun:"refused"`
	RefusedTaken     sql.NullInt64  `bun:"refused_taken"`
	RefusedReturned  sql.NullInt64  `bun:"refused_returned"`
	AnswerDigest     sql.NullString `bun:"answer_digest"`
	AnswerMillis     sql.NullInt64  `bun:"answer_ms"`
	AnswerBy         sql.NullString `bun:"answer_by"`
}

// answered asks for files with their answers.
func answered(db bun.IDB) *bun.SelectQuery {
	return db.NewSelect().TableExpr("clearing_files AS f").Join("LEFT JOIN clearing_answers AS a ON a.file = f.id").
		ColumnExpr("f.id, f.direction, f.from_issuer, f.to_issuer, f.day, f.number, f.utility, f.details, f.taken, f.returned, f.digest, f.at_ms, f.by_whom").
		ColumnExpr("a.file AS answer_file, a.accepted, a.accepted_taken, a.accepted_returned, a.refused, a.refused_taken, a.refused_returned, " +
			"a.digest AS answer_digest, a.at_ms AS answer_ms, a.by_whom AS answer_by")
}

func (r *clearingRow) file() (ClearingFile, error) {
	f := ClearingFile{Key: clearing.Key{From: schemas.IssuerID(r.From), To: schemas.IssuerID(r.To), Day: ledger.Day(r.Day), Number: r.Number},
		Direction: Direction(r.Direction), Utility: schemas.Medium(r.Utility), At: moment(r.AtMillis), By: r.ByWhom,
		Sums: clearing.Sums{Count: r.Details, Taken: schemas.Fen(r.Taken), Returned: schemas.Fen(r.Returned)}}
	var err error
	f.Digest, err = digestIn(r.Digest)
	return f, err
}

func digestIn(text string) (d ledger.Digest, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(d) {
		return d, errors.New("a digest in the books is damaged")
	}
	copy(d[:], b)
	return d, nil
}

func (r *answerRow) answer() (*ClearingAnswer, error) {
	a := &ClearingAnswer{At: moment(r.AtMillis), By: r.ByWhom,
		Accepted: clearing.Sums{Count: r.Accepted, Taken: schemas.Fen(r.AcceptedTaken), Returned: schemas.Fen(r.AcceptedReturned)},
		Refused:  clearing.Sums{Count: r.Refused, Taken: schemas.Fen(r.RefusedTaken), Returned: schemas.Fen(r.RefusedReturned)}}
	var err error
	a.Digest, err = digestIn(r.Digest)
	return a, err
}

func (r *answeredRow) file() (ClearingFile, error) {
	f, err := r.clearingRow.file()
	if err != nil || !r.AnswerFile.Valid {
		return f, err
	}
	f.Answer, err = (&answerRow{Accepted: int(r.Accepted.Int64), AcceptedTaken: r.AcceptedTaken.Int64, AcceptedReturned: r.AcceptedReturned.Int64,
		Refused: int(r.Refused.Int64), RefusedTaken: r.RefusedTaken.Int64, RefusedReturned: r.RefusedReturned.Int64,
		Digest: r.AnswerDigest.String, AtMillis: r.AnswerMillis.Int64, ByWhom: r.AnswerBy.String}).answer()
	return f, err
}

func clearingByKey(ctx context.Context, db bun.IDB, key clearing.Key) (ClearingFile, error) {
	return oneClearing(ctx, answered(db).Where("f.from_issuer = ? AND f.to_issuer = ? AND f.day = ? AND f.number = ?",
		string(key.From), string(key.To), int64(key.Day), key.Number), key.String())
}

func clearingByID(ctx context.Context, db bun.IDB, id int64) (ClearingFile, error) {
	return oneClearing(ctx, answered(db).Where("f.id = ?", id), fmt.Sprintf("clearing file with the number %d in the books", id))
}

func oneClearing(ctx context.Context, q *bun.SelectQuery, what string) (ClearingFile, error) {
	var row answeredRow
	err := q.Scan(ctx, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return ClearingFile{}, fmt.Errorf("%s: %w", what, ErrUnknown)
	}
	if err != nil {
		return ClearingFile{}, err
	}
	return row.file()
}

// ClearingFiles lists the files that filter picks, the latest day first, and says
// how many there are in all.
func (b *Books) ClearingFiles(ctx context.Context, filter ClearingFilter) (list []ClearingFile, total int64, err error) {
	var rows []answeredRow
	err = b.snapshot(ctx, func(tx bun.Tx) error {
		n, err := filter.apply(tx.NewSelect().TableExpr("clearing_files AS f").Join("LEFT JOIN clearing_answers AS a ON a.file = f.id")).Count(ctx)
		if err != nil {
			return err
		}
		total = int64(n)
		return filter.Page.apply(filter.apply(answered(tx)).OrderExpr("f.day DESC, f.id DESC")).Scan(ctx, &rows)
	})
	if err != nil {
		return nil, 0, explain("list clearing files", err)
	}
	list = make([]ClearingFile, len(rows))
	for n := range rows {
		if list[n], err = rows[n].file(); err != nil {
			return nil, 0, fmt.Errorf("list clearing files: %w", err)
		}
	}
	return list, total, nil
}

// ClearingBytes returns the bytes of a file or of its answer by its file name, as
// they were sent or received; ErrUnknown where there is none. A name that no such
// file can have is ErrClearing.
func (b *Books) ClearingBytes(ctx context.Context, name string) ([]byte, error) {
	key, answer, err := clearing.ParseName(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClearing, err)
	}
	var raw []byte
	err = b.snapshot(ctx, func(tx bun.Tx) error {
		var id int64
		if id, raw, err = clearingBytes(ctx, tx, key); err != nil || !answer {
			return err
		}
		if raw, err = answerBytes(ctx, tx, id); err == nil && raw == nil {
			err = ErrUnknown
		}
		return err
	})
	return raw, explain("bytes of "+name, err)
}

// answerBytes returns the bytes of the answer to a file, nil where there is none.
func answerBytes(ctx context.Context, db bun.IDB, file int64) ([]byte, error) {
	var packed []byte
	err := db.NewRaw("SELECT raw FROM clearing_answers WHERE file = ?", file).Scan(ctx, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

// unpack is the way back of pack.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the bytes in the books are damaged: %w", err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("the bytes in the books are damaged: %w", err)
	}
	return raw, nil
}

// NetClearing nets the files of home between two accounting days, both included,
// with the answers that there are. All are of one state of the books.
func (b *Books) NetClearing(ctx context.Context, home schemas.IssuerID, from, to ledger.Day) (clearing.Netting, error) {
	act := fmt.Sprintf("net the clearing of %s from %s to %s", home, from, to)
	exchanges, err := b.ClearingExchanges(ctx, home, from, to)
	if err != nil {
		return clearing.Netting{}, explain(act, err)
	}
	net, err := clearing.Net(home, exchanges)
	if err != nil {
		return net, fmt.Errorf("%s: %w", act, err)
	}
	return net, nil
}

// ClearingExchanges reads back what home sent and received between two accounting
// days, both included, with the answers that there are.
func (b *Books) ClearingExchanges(ctx context.Context, home schemas.IssuerID, from, to ledger.Day) (out []clearing.Exchange, err error) {
	err = b.snapshot(ctx, func(tx bun.Tx) error {
		var ids []int64
		err := tx.NewRaw("SELECT id FROM clearing_files WHERE (from_issuer = ? OR to_issuer = ?) AND day >= ? AND day <= ? ORDER BY day, id",
			string(home), string(home), int64(from), int64(to)).Scan(ctx, &ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			x, err := exchange(ctx, tx, id)
			if err != nil {
				return err
			}
			out = append(out, x)
		}
		return nil
	})
	return out, explain("read clearing files", err)
}

func exchange(ctx context.Context, tx bun.Tx, id int64) (x clearing.Exchange, err error) {
	held, err := clearingByID(ctx, tx, id)
	if err != nil {
		return x, err
	}
	_, raw, err := clearingBytes(ctx, tx, held.Key)
	if err != nil {
		return x, err
	}
	if x.File, err = clearing.Read(ctx, held.FileName(), bytes.NewReader(raw)); err != nil || held.Answer == nil {
		return x, err
	}
	if raw, err = answerBytes(ctx, tx, id); err != nil {
		return x, err
	}
	a, err := clearing.ReadAnswer(ctx, held.AnswerName(), bytes.NewReader(raw))
	x.Answer = &a
	return x, err
}
