package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// Ledger is the section of the books of prepaid utilities. Without it the hub
// keeps none, and card entries stay with their collectors.
type Ledger struct {
	// DSN is "sqlite:PATH" (one file, relative to the configuration's folder) or
	// "postgres://USER@HOST:PORT/DATABASE"; empty for no ledger.
	DSN string `yaml:"dsn"`
	// Password says where the password of a PostgreSQL user is: file:PATH or
	// env:NAME; empty for none.
	Password string `yaml:"password,omitempty"`
	// Issuer is who we are in clearing with other cities: 8 digits, the city's first
	// four and the issuer's number in it, as on our cards. With it, nothing about a
	// card of another city is booked on a meter of ours that happens to have the same
	// number. Empty: nothing is cleared.
	Issuer string `yaml:"issuer,omitempty"`
	// City is the name in the head of statements.
	City string `yaml:"city,omitempty"`
	// Zone is the city's time zone, "Asia/Shanghai" when empty.
	Zone string `yaml:"zone,omitempty"`
	// CutOff is the time of day from which on a sale belongs to the next
	// accounting day, such as "23:00"; "24:00" when empty.
	CutOff string `yaml:"cut_off,omitempty"`
	// Begin is the first day of the books, 2026-01-01: installations from before it
	// are adopted with the purchases that they had. Empty adopts none.
	Begin string `yaml:"begin,omitempty"`
	// Rules are the thresholds of the classes.
	Rules LedgerRules `yaml:"rules,omitempty"`
	// Tariffs are tariff files, which the hub takes into the books when it starts.
	Tariffs []string `yaml:"tariffs,omitempty"`
	// Mappings is a folder of column mappings (NAME.yaml) beside those that come
	// with the program; empty for none.
	Mappings string `yaml:"mappings,omitempty"`
	// People are those who may ask the ledger, with their roles.
	People []LedgerPerson `yaml:"people,omitempty"`
}

// LedgerRules are thresholds in days (docs/reconciliation.md); what is left out
// has the value of that page. Version is required when anything is given: runs
// record it.
type LedgerRules struct {
	Version       string `yaml:"version,omitempty"`
	PaidNoSale    *int   `yaml:"paid_no_sale,omitempty"`
	SaleNoPay     *int   `yaml:"sale_no_pay,omitempty"`
	SoldNotLoaded *int   `yaml:"sold_not_loaded,omitempty"`
	LoadedNotSold *int   `yaml:"loaded_not_sold,omitempty"`
	CounterGap    *int   `yaml:"counter_gap,omitempty"`
	Reversed      *int   `yaml:"reversed,omitempty"`
	MeterReplaced *int   `yaml:"meter_replaced,omitempty"`
	StaleRemote   *int   `yaml:"stale_remote,omitempty"`
	StaleCard     *int   `yaml:"stale_card,omitempty"`
}

// days returns the thresholds by name.
func (r *LedgerRules) days() map[string]*int {
	return map[string]*int{"paid_no_sale": r.PaidNoSale, "sale_no_pay": r.SaleNoPay, "sold_not_loaded": r.SoldNotLoaded, "loaded_not_sold": r.LoadedNotSold,
		"counter_gap": r.CounterGap, "reversed": r.Reversed, "meter_replaced": r.MeterReplaced, "stale_remote": r.StaleRemote, "stale_card": r.StaleCard}
}

// LedgerPerson is who may ask the ledger.
type LedgerPerson struct {
	Name string `yaml:"name"`
	// Roles are clerk, reviewer and approver.
	Roles []string `yaml:"roles"`
	// Token is "sha256:" and the digest of the person's token (citygrid token).
	Token string `yaml:"token"`
}

// DefaultZone is the time zone when the file names none.
const DefaultZone = "Asia/Shanghai"

// Location returns the time zone.
func (l *Ledger) Location() (*time.Location, error) {
	name := l.Zone
	if name == "" {
		name = DefaultZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("zone %q: want the name of a time zone, such as Asia/Shanghai", name)
	}
	return zone, nil
}

// CutOffTime returns the cut-off as a time of day, 0 for midnight.
func (l *Ledger) CutOffTime() (time.Duration, error) {
	if l.CutOff == "" || l.CutOff == "24:00" {
		return 0, nil
	}
	t, err := time.Parse("15:04", l.CutOff)
	if err != nil {
		return 0, fmt.Errorf("cut_off %q: want a time of day such as 23:00", l.CutOff)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// check reports every value that cannot work.
func (l *Ledger) check() error {
	if l.DSN == "" {
		if l.City != "" || l.Issuer != "" || len(l.People) > 0 || l.Mappings != "" || len(l.Tariffs) > 0 {
			return errors.New("ledger.dsn: missing: sqlite:PATH or postgres://USER@HOST/DATABASE")
		}
		return nil
	}
	errs := []error{checkDSN("ledger", l.DSN, l.Password), l.checkRules()}
	_, zoneErr := l.Location()
	_, cutOffErr := l.CutOffTime()
	errs = append(errs, zoneErr, cutOffErr)
	if l.Issuer != "" {
		errs = append(errs, schemas.IssuerID(l.Issuer).Validate())
	}
	if l.Begin != "" {
		if _, err := time.Parse(time.DateOnly, l.Begin); err != nil {
			errs = append(errs, fmt.Errorf("begin %q: want a date such as 2026-01-01", l.Begin))
		}
	}
	names := make(map[string]bool)
	for _, path := range l.Tariffs {
		name := filepath.Base(path)
		if names[name] {
			errs = append(errs, fmt.Errorf("tariffs: two files are named %s; the books know a tariff file by its name, and the second would replace the first", name))
		}
		names[name] = true
	}
	for n := range l.People {
		if err := l.People[n].check(l.People[:n]); err != nil {
			errs = append(errs, fmt.Errorf("people[%d]: %w", n, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// checkDSN does not repeat the text: somebody may have put a password there.
func checkDSN(section, dsn, password string) error {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if path == "" || password != "" {
			return errors.New("dsn: want sqlite:PATH, and no password with it")
		}
		return nil
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" {
		return errors.New("dsn: want sqlite:PATH or postgres://USER@HOST:PORT/DATABASE")
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return fmt.Errorf("dsn: holds a password; it belongs where %s.password says", section)
	}
	return nil
}

func (l *Ledger) checkRules() error {
	given := false
	for name, days := range l.Rules.days() {
		if days != nil && (*days < 0 || *days > 10_000) {
			return fmt.Errorf("rules.%s: %d days: want 0 to 10000", name, *days)
		}
		given = given || days != nil
	}
	if given && l.Rules.Version == "" {
		return errors.New("rules.version: missing: name this set of rules; runs record it")
	}
	return nil
}

func (p *LedgerPerson) check(before []LedgerPerson) error {
	if p.Name == "" || strings.Join(strings.Fields(p.Name), " ") != p.Name {
		return fmt.Errorf("name %q: want a name on one line, with single blanks between its words only", p.Name)
	}
	if len(p.Roles) == 0 {
		return fmt.Errorf("%s has no role: want clerk, reviewer or approver", p.Name)
	}
	for _, r := range p.Roles {
		if !slices.Contains([]string{"clerk", "reviewer", "approver"}, r) {
			return fmt.Errorf("%s: role %q: want clerk, reviewer or approver", p.Name, r)
		}
	}
	if !tokenDigest(p.Token) {
		return fmt.Errorf("%s: token: want sha256: and 64 hexadecimal digits, as citygrid token prints them", p.Name)
	}
	if slices.ContainsFunc(before, func(q LedgerPerson) bool {
		return strings.EqualFold(q.Name, p.Name) || strings.EqualFold(q.Token, p.Token)
	}) {
		return fmt.Errorf("%s: the name or the token stands twice", p.Name)
	}
	return nil
}

// tokenDigest reports whether text is what citygrid token prints for this file.
func tokenDigest(text string) bool {
	digest, isSHA := strings.CutPrefix(text, "sha256:")
	b, err := hex.DecodeString(digest)
	return isSHA && err == nil && len(b) == sha256.Size
}
