package yearbooks

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// Due returns what the world has injected that falls due on a day.
func (e *Eve) Due(day ledger.Day) (list []year.Difference) {
	for p, d := range e.injected() {
		if p.Due(d) == int32(day) {
			list = append(list, *d)
		}
	}
	return list
}

// Opened returns what the world has injected that is due by a day.
func (e *Eve) Opened(day ledger.Day) (list []year.Difference) {
	for p, d := range e.injected() {
		if p.Due(d) <= int32(day) {
			list = append(list, *d)
		}
	}
	return list
}

func (e *Eve) injected() iter.Seq2[*year.Place, *year.Difference] {
	return func(yield func(*year.Place, *year.Difference) bool) {
		for p := range e.World.Wrong() {
			for i := range p.Injected {
				if !yield(p, &p.Injected[i]) {
					return
				}
			}
		}
	}
}

// Compare holds what the runs of a day found against what is due on it, and says what
// differs; nothing says that they agree to the fen.
func (e *Eve) Compare(ctx context.Context, b *books.Books, day ledger.Day) (wrong []string, err error) {
	var found []books.DifferenceRecord
	for _, u := range utilities {
		list, err := foundOn(ctx, b, u, day)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	return against(e.Due(day), found), nil
}

// CompareAll holds all that the books have ever found, open or not, against all that is
// due by a day.
func (e *Eve) CompareAll(ctx context.Context, b *books.Books, day ledger.Day) (wrong []string, err error) {
	var all []books.DifferenceRecord
	for _, cleared := range []bool{false, true} {
		for offset := int64(0); ; offset += pageSize {
			list, _, err := b.Differences(ctx, books.DifferenceFilter{Cleared: cleared, Page: books.Page{Limit: pageSize, Offset: offset}})
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
			if len(list) < pageSize {
				break
			}
		}
	}
	return against(e.Opened(day), all), nil
}

// against says what differs between what is due and what was found.
func against(due []year.Difference, list []books.DifferenceRecord) (wrong []string) {
	waiting := map[fact]int{}
	for i := range due {
		waiting[injected(&due[i])]++
	}
	for i := range list {
		if f := found(&list[i].Difference); waiting[f] > 0 {
			waiting[f]--
		} else {
			wrong = append(wrong, "not due: "+f.String())
		}
	}
	for f, n := range waiting {
		if n > 0 {
			wrong = append(wrong, "not found: "+f.String())
		}
	}
	slices.Sort(wrong)
	return wrong
}

// foundOn returns what the run of a day that counts found, open or not.
func foundOn(ctx context.Context, b *books.Books, utility schemas.Medium, day ledger.Day) ([]books.DifferenceRecord, error) {
	for offset := int64(0); ; offset += pageSize {
		runs, err := b.Runs(ctx, utility, books.Page{Limit: pageSize, Offset: offset})
		if err != nil {
			return nil, err
		}
		for i := range runs {
			if r := &runs[i]; r.State == books.RunDone && r.Span.From <= day && day <= r.Span.To {
				list, _, err := b.Differences(ctx, books.DifferenceFilter{FoundBy: r.ID, Page: books.Page{Limit: pageSize}})
				return list, err
			}
		}
		if len(runs) < pageSize {
			return nil, fmt.Errorf("no run of %s for %s", utility, day)
		}
	}
}
