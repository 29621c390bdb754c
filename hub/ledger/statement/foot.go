package statement

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// FootError says which sums of a statement do not come to what it says they do.
// Such a statement must not be signed: the run has a fault, or somebody changed
// the figures.
type FootError struct {
	// Wrong has a line for each sum.
	Wrong []string
}

// Error lists the sums.
func (e *FootError) Error() string {
	text := fmt.Sprintf("the statement does not foot in %d sums; keep the books as they are and report it", len(e.Wrong))
	for n, w := range e.Wrong {
		if n == 5 {
			return text + fmt.Sprintf("; and %d more", len(e.Wrong)-n)
		}
		text += "; " + w
	}
	return text
}

// Check adds everything up again. The error is a *FootError, or says what cannot
// be in a statement at all.
func (s *Statement) Check() error {
	if err := s.checkForm(); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	f := &foots{}
	for n := range s.Channels {
		c := &s.Channels[n]
		f.match("sales of channel "+c.Channel, &c.Sales)
		f.match("payments of channel "+c.Channel, &c.Payments)
	}
	for n := range s.Classes {
		c := &s.Classes[n]
		f.equal("class "+string(c.Class), sum(c.Opening, c.Found, minus(c.Cleared), minus(c.Decided)), c.Closing)
		f.equal("open list of class "+string(c.Class), s.listed(c.Class), c.Closing)
	}
	p := &s.Purchases
	f.equal("purchases not loaded", sum(p.Opening, p.Sold, p.Transferred, minus(p.Undone), minus(p.Loaded)), p.Closing)
	f.stock(&s.Stock)
	if len(f.wrong) > 0 {
		return &FootError{Wrong: f.wrong}
	}
	return nil
}

// checkForm refuses what New never makes.
func (s *Statement) checkForm() error {
	switch {
	case s.Utility != schemas.Water && s.Utility != schemas.Power && s.Utility != schemas.Gas:
		return fmt.Errorf("utility %q: want water, power or gas", s.Utility)
	case s.To < s.From:
		return fmt.Errorf("it ends on %s, before it begins on %s", s.To, s.From)
	case s.Prepared.By == "":
		return errors.New("nobody has prepared it")
	case s.Unresolved != nil && (s.Unresolved.Sales < 0 || s.Unresolved.Entries < 0):
		return errors.New("the count of rows of unknown meters is below 0")
	}
	classes := ledger.Classes()
	if len(s.Classes) != len(classes) {
		return fmt.Errorf("%d classes, want %d", len(s.Classes), len(classes))
	}
	for n, class := range classes {
		if s.Classes[n].Class != class {
			return fmt.Errorf("class %d is %s, want %s", n+1, s.Classes[n].Class, class)
		}
	}
	if !slices.IsSortedFunc(s.Open, compareLines) {
		return errors.New("the open differences are out of order")
	}
	for n := range s.Open {
		if !slices.Contains(classes, s.Open[n].Class) {
			return fmt.Errorf("difference %s is of the unknown class %q", s.Open[n].Key, s.Open[n].Class)
		}
		if n > 0 && s.Open[n].Key == s.Open[n-1].Key {
			return fmt.Errorf("difference %s stands twice", s.Open[n].Key)
		}
	}
	return nil
}

// listed adds up the open differences of a class.
func (s *Statement) listed(class ledger.Class) (t Tally) {
	for n := range s.Open {
		if l := &s.Open[n]; l.Class == class {
			t = sum(t, Tally{Count: 1, Amount: l.Amount, Volume: l.Volume})
		}
	}
	return t
}

// foots collects the sums that are wrong.
type foots struct{ wrong []string }

func (f *foots) match(what string, r *MatchRoll) {
	f.equal(what, sum(r.Opening, r.Rows, minus(r.Matched), minus(r.AmountDiff), minus(r.Duplicates), minus(r.Decided)), r.Closing)
}

func (f *foots) stock(r *StockRoll) {
	f.equal("credit in the meters", sum(r.Opening.Residual, r.Change.Residual), r.Closing.Residual)
	f.equal("overdraft of the meters", sum(r.Opening.Overdraft, r.Change.Overdraft), r.Closing.Overdraft)
	for _, c := range []struct {
		what    string
		sum, is int64
	}{
		{"installations", r.Opening.Installations + r.Change.Installations, r.Closing.Installations},
		{"installations that were heard", r.Opening.Fresh + r.Change.Fresh, r.Closing.Fresh},
		{"stale installations", r.Opening.Stale + r.Change.Stale, r.Closing.Stale},
		{"heard and stale installations", r.Closing.Fresh + r.Closing.Stale, r.Closing.Installations},
	} {
		if c.sum != c.is {
			f.wrong = append(f.wrong, fmt.Sprintf("%s: the parts come to %d, the statement says %d", c.what, c.sum, c.is))
		}
	}
}

func (f *foots) equal(what string, got, want Tally) {
	if got != want {
		f.wrong = append(f.wrong, fmt.Sprintf("%s: the parts come to %s, the statement says %s", what, got, want))
	}
}

// String writes the tally for messages.
func (t Tally) String() string {
	if t.Volume == 0 {
		return fmt.Sprintf("%d with %s yuan", t.Count, t.Amount)
	}
	return fmt.Sprintf("%d with %s yuan and a volume of %d", t.Count, t.Amount, t.Volume)
}

// sum adds tallies. What overflows sticks at the end of the range, which no sum
// of a city comes near, and so does not foot.
func sum(parts ...Tally) (t Tally) {
	for _, p := range parts {
		t.Count = plus(t.Count, p.Count)
		t.Amount = Money(plus(int64(t.Amount), int64(p.Amount)))
		t.Volume = plus(t.Volume, p.Volume)
	}
	return t
}

func plus(a, b int64) int64 {
	switch c := a + b; {
	case a > 0 && b > 0 && c < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && c >= 0:
		return math.MinInt64
	default:
		return c
	}
}

func minus(t Tally) Tally { return Tally{Count: -t.Count, Amount: -t.Amount, Volume: -t.Volume} }
