package books

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// StoreAccounts takes over accounts from an operator's list, all of them or none,
// and returns how many it has changed. An account is known by its installation,
// which the register must have; From left out means the one that stands. Accounts
// that are not named stay as they are, and what an account was before stays in the
// books. Bills that were made never change: a new limit, channel or term is that of
// the next bill, and an account that becomes prepaid gets no further one.
func (b *Books) StoreAccounts(ctx context.Context, list []billing.Contract, by string) (changed int, err error) {
	if by == "" {
		return 0, errors.New("store accounts: nobody is named who imports them")
	}
	err = b.change(ctx, func(tx bun.Tx) error {
		changed = 0
		revision, err := take(ctx, tx, "account", 1)
		if err != nil {
			return err
		}
		into := b.db.Bulk(tx, "accounts", "place, from_ms, revision, customer, mode, credit_limit, channel, begin_ms, due_days, warn, stop, "+
			"late_free, late_per_day, late_cap, at_ms, by_whom", "")
		seen := make(map[found]bool)
		for at := 0; at < len(list) && err == nil; at += chunk {
			var rows []accountTerms
			if rows, err = freshAccounts(ctx, tx, list[at:min(at+chunk, len(list))], seen); err != nil {
				break
			}
			changed += len(rows)
			for _, r := range rows {
				if err = into.Add(ctx, append(r.values(revision), millis(b.o.Now()), by)...); err != nil {
					break
				}
			}
		}
		if err = into.End(ctx, err); err == nil && changed == 0 {
			return errNothing
		}
		return err
	})
	if errors.Is(err, errNothing) { // rolled back: the number is not used up
		return 0, nil
	}
	return changed, explain("store accounts", err)
}

// accountTerms are what a list says of an account.
type accountTerms struct {
	Place      int64  `bun:"place"`
	From       int64  `bun:"from_ms"`
	Customer   string `bun:"customer"`
	Mode       string `bun:"mode"`
	Limit      int64  `bun:"credit_limit"`
	Channel    string `bun:"channel"`
	Begin      int64  `bun:"begin_ms"`
	DueDays    int    `bun:"due_days"`
	Warn       int    `bun:"warn"`
	Stop       int    `bun:"stop"`
	LateFree   int    `bun:"late_free"`
	LatePerDay int    `bun:"late_per_day"`
	LateCap    int    `bun:"late_cap"`
}

func (r *accountTerms) values(revision int64) []any {
	return []any{r.Place, r.From, revision, r.Customer, r.Mode, r.Limit, r.Channel, r.Begin, r.DueDays, r.Warn, r.Stop, r.LateFree, r.LatePerDay, r.LateCap}
}

func termsOf(c *billing.Contract, at found) accountTerms {
	r := accountTerms{Place: at.place, From: at.from, Customer: string(c.Customer), Mode: string(c.Mode), Limit: int64(c.Limit), Channel: c.Channel,
		Begin: millis(c.Begin), DueDays: c.Terms.DueDays, Warn: c.Terms.Warn, Stop: c.Terms.Stop}
	if l := c.Terms.Late; l != nil {
		r.LateFree, r.LatePerDay, r.LateCap = l.FreeDays, l.PerDay, l.Cap
	}
	return r
}

// freshAccounts checks a part of a list and returns what is new in it. seen are the
// installations of the parts before.
func freshAccounts(ctx context.Context, tx bun.Tx, list []billing.Contract, seen map[found]bool) (fresh []accountTerms, err error) {
	meters := make([]string, len(list))
	for n := range list {
		if err := list[n].Validate(); err != nil {
			return nil, err
		}
		meters[n] = string(list[n].Meter)
	}
	stand, err := installedAt(ctx, tx, meters)
	if err != nil {
		return nil, err
	}
	held, err := accountRows(ctx, tx, "p.meter IN (?)", "a.place, a.from_ms", bun.List(meters))
	if err != nil {
		return nil, err
	}
	old := make(map[found]accountTerms, len(held))
	for n := range held {
		old[found{held[n].Place, held[n].From}] = held[n].accountTerms
	}
	for n := range list {
		at, err := installationOf(&list[n], stand[meters[n]])
		if err != nil {
			return nil, err
		}
		if seen[at] {
			return nil, fmt.Errorf("account of %s: the installation from %s stands twice in the list", list[n].Meter, moment(at.from).Format(time.RFC3339))
		}
		seen[at] = true
		if row := termsOf(&list[n], at); old[at] != row {
			fresh = append(fresh, row)
		}
	}
	return fresh, nil
}

// installed is an installation of the register with what an account needs of it.
type installed struct {
	standing
	To int64 `bun:"to_ms"`
}

func installedAt(ctx context.Context, tx bun.Tx, meters []string) (map[string][]installed, error) {
	var rows []installed
	err := tx.NewRaw("SELECT i.place, i.from_ms, i.to_ms, i.number, p.meter, p.utility FROM installations AS i JOIN places AS p ON p.id = i.place "+
		"WHERE p.meter IN (?) ORDER BY i.place, i.from_ms", bun.List(meters)).Scan(ctx, &rows)
	out := make(map[string][]installed, len(meters))
	for _, r := range rows {
		out[r.Meter] = append(out[r.Meter], r)
	}
	return out, err
}

// installationOf finds the installation that an account is of.
func installationOf(c *billing.Contract, stand []installed) (found, error) {
	if len(stand) == 0 {
		return found{}, fmt.Errorf("account of %s: the register has no such meter; import the register first (citygrid import --register FILE)", c.Meter)
	}
	if stand[0].Utility != string(c.Utility) {
		return found{}, fmt.Errorf("account of %s: the list says %s, the register %s", c.Meter, c.Utility, stand[0].Utility)
	}
	for _, s := range stand {
		if c.From.IsZero() && s.To != 0 || !c.From.IsZero() && s.From != millis(c.From) {
			continue
		}
		if begin := millis(c.Begin); begin != 0 && (begin < s.From || s.To != 0 && begin >= s.To) {
			return found{}, fmt.Errorf("account of %s: billing begins on %s, outside its installation from %s", c.Meter,
				c.Begin.UTC().Format(time.RFC3339), moment(s.From).Format(time.RFC3339))
		}
		return found{s.Place, s.From}, nil
	}
	if c.From.IsZero() {
		return found{}, fmt.Errorf("account of %s: no meter stands there any more; name the installation by its from", c.Meter)
	}
	return found{}, fmt.Errorf("account of %s: the register has no installation from %s, the last one is from %s", c.Meter,
		c.From.UTC().Format(time.RFC3339), moment(stand[len(stand)-1].From).Format(time.RFC3339))
}

// accountRow is an account in force with its installation and place.
type accountRow struct {
	accountTerms
	Revision int64  `bun:"revision"`
	AtMillis int64  `bun:"at_ms"`
	ByWhom   string `bun:"by_whom"`
	Meter    string `bun:"meter"`
	Utility  string `bun:"utility"`
	Plan     string `bun:"plan"`
	To       int64  `bun:"to_ms"`
	Number   string `bun:"number"`
	Payer    string `bun:"payer"`
}

const accountsQuery = "SELECT a.*, p.meter, p.utility, p.plan, i.to_ms, i.number, COALESCE(NULLIF(a.customer, ''), i.customer) AS payer FROM accounts AS a " +
	"JOIN places AS p ON p.id = a.place JOIN installations AS i ON i.place = a.place AND i.from_ms = a.from_ms " +
	"WHERE NOT EXISTS (SELECT 1 FROM accounts AS n WHERE n.place = a.place AND n.from_ms = a.from_ms AND n.revision > a.revision) AND "

// accountRows returns the accounts in force that where picks, in an order.
func accountRows(ctx context.Context, db bun.IDB, where, order string, args ...any) (rows []accountRow, err error) {
	err = db.NewRaw(accountsQuery+where+" ORDER BY "+order, args...).Scan(ctx, &rows)
	return rows, err
}

func (r *accountRow) contract() billing.Contract {
	c := billing.Contract{
		Account: billing.Account{Meter: schemas.MeterID(r.Meter), From: moment(r.From), MeterNumber: r.Number, Customer: schemas.CustomerID(r.Payer),
			Utility: schemas.Medium(r.Utility), Mode: billing.Mode(r.Mode), Limit: schemas.Fen(r.Limit), Channel: r.Channel},
		Terms: billing.Terms{DueDays: r.DueDays, Warn: r.Warn, Stop: r.Stop},
		Begin: moment(r.Begin), Revision: r.Revision, At: moment(r.AtMillis), By: r.ByWhom}
	if r.LatePerDay > 0 {
		c.Terms.Late = &billing.LateFee{FreeDays: r.LateFree, PerDay: r.LatePerDay, Cap: r.LateCap}
	}
	return c
}

// AccountFilter picks accounts; zero fields pick all.
type AccountFilter struct {
	Utility schemas.Medium
	Meter   schemas.MeterID
	Page
}

// where returns the condition with its arguments.
func (f *AccountFilter) where() (string, []any) {
	return "(? = '' OR p.utility = ?) AND (? = '' OR p.meter = ?)", []any{string(f.Utility), string(f.Utility), string(f.Meter), string(f.Meter)}
}

// Accounts lists accounts in force by meter id, as the database sorts text, and
// installation, prepaid ones among them.
func (b *Books) Accounts(ctx context.Context, f AccountFilter) ([]billing.Contract, error) {
	rows, err := b.accountPage(ctx, b.read, &f)
	if err != nil {
		return nil, explain("list accounts", err)
	}
	out := make([]billing.Contract, len(rows))
	for n := range rows {
		out[n] = rows[n].contract()
	}
	return out, nil
}

func (b *Books) accountPage(ctx context.Context, db bun.IDB, f *AccountFilter) ([]accountRow, error) {
	where, args := f.where()
	return accountRows(ctx, db, where, "p.meter, a.from_ms LIMIT ? OFFSET ?", append(args, f.limit(), max(f.Offset, 0))...)
}
