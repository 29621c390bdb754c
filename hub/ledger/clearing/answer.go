package clearing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Answer is what an issuer says to one clearing file, detail by detail. Its Key is
// that of the file.
type Answer struct {
	Key
	Utility schemas.Medium
	Results []Result
}

// Result is the answer to one detail.
type Result struct {
	Order  string
	Amount schemas.Fen // of the detail, never negative
	// Reason says why the issuer refuses the detail; empty where it accepts it. Up
	// to 64 printable bytes.
	Reason string
	At     time.Time // UTC, whole milliseconds
}

// ReadAnswer reads an answer as strictly as Read reads a file.
func ReadAnswer(ctx context.Context, name string, r io.Reader) (Answer, error) {
	l, key, err := load(ctx, name, r, answerMapping, answerNames, Key.AnswerName)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Key: key, Utility: l.Utility, Results: make([]Result, 0, len(l.Payments))}
	for i, p := range l.Payments {
		if p.Refund != (p.Reference != "") {
			return Answer{}, problem(name, i+3, "reason: give it where the detail is refused, and only there")
		}
		a.Results = append(a.Results, Result{Order: p.Order, Amount: p.Amount, Reason: p.Reference, At: p.At})
	}
	return a, nil
}

// WriteAnswer writes a; like Write it reads back first.
func WriteAnswer(w io.Writer, a Answer) error {
	text := encode(a.header("answer", a.Utility), answerNames, a.rows(), a.sums())
	back, err := ReadAnswer(context.Background(), a.AnswerName(), bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("write answer to %s: %w", a.Key, err)
	}
	if back.Key != a.Key || back.Utility != a.Utility || !slices.Equal(back.Results, a.Results) {
		return fmt.Errorf("write answer to %s: %w: moments are UTC in whole milliseconds", a.Key, ErrLoss)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write answer to %s: %w", a.Key, err)
	}
	return nil
}

// rows returns the results as fields, in the order of answerNames.
func (a *Answer) rows() [][]string {
	rows := make([][]string, 0, len(a.Results))
	for _, r := range a.Results {
		result := "accepted"
		if r.Reason != "" {
			result = "refused"
		}
		rows = append(rows, []string{r.Order, result, r.Amount.String(), r.Reason, r.At.Format(moments)})
	}
	return rows
}

// sums are those of the trailer: accepted, refused.
func (a *Answer) sums() Sums {
	s := Sums{Count: len(a.Results)}
	for _, r := range a.Results {
		if r.Reason == "" {
			s.Taken += r.Amount
		} else {
			s.Returned += r.Amount
		}
	}
	return s
}

// Settled is how the details of a file stand after its answer. Accepted and
// Refused hold every detail exactly once, in the order of the file.
type Settled struct {
	Accepted, Refused []ledger.Sale
	Reasons           map[string]string // of the refused, by order
}

// Match puts an answer beside its file. It is an error, of which nothing counts,
// if the answer is to another file, leaves a detail out, answers one twice, knows
// one that was not sent, or names another amount.
func Match(f File, a Answer) (Settled, error) {
	if a.Key != f.Key || a.Utility != f.Utility {
		return Settled{}, fmt.Errorf("answer to %s, %s: want that to %s, %s", a.Key, a.Utility, f.Key, f.Utility)
	}
	results := make(map[string]Result, len(a.Results))
	for _, r := range a.Results {
		if _, twice := results[r.Order]; twice {
			return Settled{}, fmt.Errorf("answer to %s: order %s is answered twice; ask %s which holds", f.Key, r.Order, f.To)
		}
		results[r.Order] = r
	}
	s := Settled{Reasons: make(map[string]string)}
	for i := range f.Details {
		d := &f.Details[i]
		r, ok := results[d.Order]
		switch {
		case !ok:
			return Settled{}, fmt.Errorf("answer to %s: order %s is not answered; ask %s for a whole answer", f.Key, d.Order, f.To)
		case r.Amount != d.Amount:
			return Settled{}, fmt.Errorf("answer to %s: order %s: sent %s, answered %s; ask %s", f.Key, d.Order, d.Amount, r.Amount, f.To)
		case r.Reason == "":
			s.Accepted = append(s.Accepted, *d)
		default:
			s.Refused = append(s.Refused, *d)
			s.Reasons[d.Order] = r.Reason
		}
		delete(results, d.Order)
	}
	for _, r := range a.Results {
		if _, left := results[r.Order]; left {
			return Settled{}, fmt.Errorf("answer to %s: order %s was not sent; is it the answer to another file?", f.Key, r.Order)
		}
	}
	return s, nil
}

// Payments returns the accepted details as rows of L2 for the issuer's books: the
// acquirer owes them from the answer on, so that the sales of the file find their
// payments. results are those of the answer, for the moments; day is the
// accounting day of the answer.
func (s *Settled) Payments(day ledger.Day, a Answer) []ledger.Payment {
	at := make(map[string]time.Time, len(a.Results))
	for _, r := range a.Results {
		at[r.Order] = r.At
	}
	out := make([]ledger.Payment, 0, len(s.Accepted))
	for _, d := range s.Accepted {
		out = append(out, ledger.Payment{Channel: d.Channel, Order: d.Order, Reference: a.AnswerName(),
			Refund: d.Kind != ledger.Purchase, Amount: d.Amount, Day: day, At: at[d.Order]})
	}
	return out
}
