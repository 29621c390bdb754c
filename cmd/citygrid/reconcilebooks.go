package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // a box without the system's table of time zones knows the city's all the same

	"github.com/spf13/cobra"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/cli"
	"citygrid/internal/gm"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// booksFlags say which books a command works on: those of a hub's configuration,
// or any by their address with the default rules.
type booksFlags struct {
	config, dsn string
	as          string
	issuer      string // who we are; empty: as the configuration says
}

func (f *booksFlags) register(cmd *cobra.Command, asHelp string) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration of the hub, with its section ledger")
	cmd.Flags().StringVar(&f.dsn, "ledger", "", "the books, sqlite:PATH or postgres://...; those of the configuration when left out")
	if asHelp != "" {
		cmd.Flags().StringVar(&f.as, "as", "", asHelp)
	}
}

// openLedger is the books with what the configuration says about them.
type openLedger struct {
	*books.Books
	settings  config.Ledger
	folder    *config.Config // nil without a configuration
	rules     reconcile.Rules
	registers books.Registers // the readings of meters; nil where none are kept
	taken     []api.TariffFile
}

// open opens the books. Without a configuration the rules are the defaults, for
// the days of Asia/Shanghai.
func (f *booksFlags) open(ctx context.Context) (*openLedger, error) {
	l := &openLedger{settings: config.Ledger{DSN: f.dsn}}
	if f.config != "" {
		cfg, err := config.Load(f.config)
		if err != nil {
			return nil, err
		}
		l.folder, l.settings = cfg, cfg.Ledger
		if f.dsn != "" {
			l.settings.DSN, l.settings.Password = f.dsn, ""
		}
	}
	if u, err := url.Parse(f.dsn); err == nil {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return nil, errors.New("--ledger: holds a password, which everybody on this machine can see; put it into PGPASSWORD or ~/.pgpass, or give --config with ledger.password")
		}
	}
	if f.issuer != "" {
		l.settings.Issuer = f.issuer
	}
	if l.settings.DSN == "" {
		return nil, errors.New("which books? Give --config FILE with a section ledger, or --ledger sqlite:PATH")
	}
	if err := l.open(ctx); err != nil {
		return nil, cli.Failed(err)
	}
	return l, nil
}

// open opens what the settings name.
func (l *openLedger) open(ctx context.Context) error {
	rules, err := rulesOf(&l.settings)
	if err != nil {
		return err
	}
	dsn, err := l.address()
	if err != nil {
		return err
	}
	l.rules = rules
	rules.Version = keptVersion(rules.Version, rules.Calendar)
	l.Books, err = books.Open(ctx, dsn, books.Options{Rules: rules, Issuer: schemas.IssuerID(l.settings.Issuer)})
	return err
}

// address returns the address with the path taken from the configuration's
// folder, and the password put in.
func (l *openLedger) address() (string, error) {
	folder := l.folder
	if folder != nil && l.settings.DSN != folder.Ledger.DSN {
		folder = nil // it was given on the command line
	}
	return databaseAddress(folder, l.settings.DSN, l.settings.Password, "ledger.password")
}

// databaseAddress makes the path of an SQLite file relative to the configuration, and
// puts the password of a PostgreSQL user into the address. key names the password's
// place for messages.
func databaseAddress(folder *config.Config, dsn, password, key string) (string, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if folder != nil {
			path = folder.Path(path)
		}
		return "sqlite:" + path, nil
	}
	if password == "" {
		return dsn, nil
	}
	secret, err := seal.ReadPassphrase(sourceIn(folder, password))
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("the dsn beside " + key + " is not an address")
	}
	u.User = url.UserPassword(u.User.Username(), string(secret.Reveal()))
	return u.String(), nil
}

// rulesOf returns the rules of the page with what the settings change.
func rulesOf(s *config.Ledger) (reconcile.Rules, error) {
	zone, err := s.Location()
	if err != nil {
		return reconcile.Rules{}, fmt.Errorf("ledger: %w", err)
	}
	cutOff, err := s.CutOffTime()
	if err != nil {
		return reconcile.Rules{}, fmt.Errorf("ledger: %w", err)
	}
	r := reconcile.DefaultRules(ledger.Calendar{Zone: zone, CutOff: cutOff})
	if s.Begin != "" {
		if r.Begin, err = ledger.ParseDay(s.Begin); err != nil {
			return r, fmt.Errorf("ledger.begin: %w", err)
		}
	}
	given := &s.Rules
	if given.Version != "" {
		r.Version = given.Version
	}
	for _, day := range []struct{ to, from *int }{
		{&r.PaidNoSale, given.PaidNoSale}, {&r.SaleNoPay, given.SaleNoPay}, {&r.SoldNotLoaded, given.SoldNotLoaded}, {&r.LoadedNotSold, given.LoadedNotSold},
		{&r.CounterGap, given.CounterGap}, {&r.Reversed, given.Reversed}, {&r.MeterReplaced, given.MeterReplaced},
		{&r.StaleRemote, given.StaleRemote}, {&r.StaleCard, given.StaleCard},
	} {
		if day.from != nil {
			*day.to = *day.from
		}
	}
	return r, r.Validate()
}

// takeTariffs puts the tariff files of the configuration into the books.
func (l *openLedger) takeTariffs(ctx context.Context, by string) error {
	for _, name := range l.settings.Tariffs {
		if err := l.takeTariff(ctx, l.folder.Path(name), by); err != nil {
			return err
		}
	}
	return nil
}

func (l *openLedger) takeTariff(ctx context.Context, path, by string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read tariffs: %w", err)
	}
	name, at := filepath.Base(path), time.Now()
	if err := l.StoreTariffs(ctx, name, text, by); err != nil {
		return err
	}
	h := gm.NewSM3()
	h.Write(text)
	l.taken = append(l.taken, api.TariffFile{Name: name, Digest: fmt.Sprintf("%x", h.Sum(nil)), Text: string(text), At: at, By: by})
	return nil
}

// person returns who acts: --as, else the user of this machine. With a
// configuration that names people, it must be one of them, with one of roles.
func (l *openLedger) person(as string, roles ...string) (string, error) {
	if as == "" {
		u, err := user.Current()
		if err != nil {
			return "", errors.New("who are you? Give --as PERSON")
		}
		as = u.Username
	}
	if err := ledger.CheckPerson(as); err != nil {
		return "", fmt.Errorf("--as: %w", err)
	}
	if len(l.settings.People) == 0 {
		return as, nil
	}
	for _, p := range l.settings.People {
		if p.Name != as {
			continue
		}
		for _, r := range p.Roles {
			for _, want := range roles {
				if r == want {
					return as, nil
				}
			}
		}
		return "", fmt.Errorf("%s may not do this; it takes the role %s", as, strings.Join(roles, " or "))
	}
	return "", fmt.Errorf("%s is not among the people of the configuration (ledger.people); give --as PERSON", as)
}

// decider returns who decides. People whom the configuration names prove who they
// are with their token: source says where it is.
func (l *openLedger) decider(ctx context.Context, as, source string, role api.Role) (string, error) {
	if len(l.settings.People) == 0 {
		return l.person(as)
	}
	auth, err := api.NewTokens(peopleOf(&l.settings))
	if err != nil {
		return "", fmt.Errorf("ledger.people: %w", err)
	}
	if source == "" {
		return "", errors.New("--token: missing: the configuration names people, who decide with their token; say where it is: file:PATH, env:NAME or fd:N")
	}
	token, err := seal.ReadPassphrase(source)
	if err != nil {
		return "", fmt.Errorf("--token: %w", err)
	}
	if p, ok := auth.Person(ctx, string(token.Reveal())); !ok || p.Name != as {
		return "", fmt.Errorf("--token: the token is not that of %s", as)
	}
	return l.person(as, string(role))
}

// peopleOf returns the people of the configuration as the API knows them.
func peopleOf(s *config.Ledger) []api.TokenPerson {
	people := make([]api.TokenPerson, len(s.People))
	for n, p := range s.People {
		people[n] = api.TokenPerson{Person: api.Person{Name: p.Name}, Token: p.Token}
		for _, r := range p.Roles {
			people[n].Roles = append(people[n].Roles, api.Role(r))
		}
	}
	return people
}

// utilityOf reads a utility; the empty one is allowed where all are meant.
func utilityOf(text string, all bool) (schemas.Medium, error) {
	switch u := schemas.Medium(text); {
	case u == schemas.Water || u == schemas.Power || u == schemas.Gas || all && u == "":
		return u, nil
	}
	return "", fmt.Errorf("--utility %q: want water, power or gas", text)
}
