package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/hub/ledger/billing"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// accountColumns are the columns of a list of accounts in CSV, in this order, one
// line an account. What may be empty: from (the installation that stands), customer
// (the register's), begin (the installation's), and the terms (15 days, 80 and 120 %,
// no late fee).
func accountColumns() []string {
	return []string{"meter", "from", "customer", "utility", "mode", "limit", "channel", "begin", "due_days", "warn", "stop",
		"late_free_days", "late_per_day", "late_cap"}
}

// accountYAML is an account of a list in YAML.
type accountYAML struct {
	Meter    string     `yaml:"meter"`
	From     string     `yaml:"from"`
	Customer string     `yaml:"customer"`
	Utility  string     `yaml:"utility"`
	Mode     string     `yaml:"mode"`
	Limit    string     `yaml:"limit"`
	Channel  string     `yaml:"channel"`
	Begin    string     `yaml:"begin"`
	Terms    *termsYAML `yaml:"terms"`
}

// termsYAML are terms of payment; what is left out is the default.
type termsYAML struct {
	DueDays *int      `yaml:"due_days"`
	Warn    *int      `yaml:"warn"`
	Stop    *int      `yaml:"stop"`
	Late    *lateYAML `yaml:"late"`
}

type lateYAML struct {
	FreeDays int `yaml:"free_days"`
	PerDay   int `yaml:"per_day"`
	Cap      int `yaml:"cap"`
}

// readAccounts reads a list of accounts, YAML or CSV by the name of the file.
// Moments without an offset are of zone.
func readAccounts(path string, zone *time.Location) ([]billing.Contract, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	parse := parseAccountsCSV
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".csv":
	case ".yaml", ".yml":
		parse = parseAccountsYAML
	default:
		return nil, fmt.Errorf("accounts %s: want a file .yaml or .csv, not %q", path, ext)
	}
	list, err := parse(text, zone)
	if err != nil {
		return nil, fmt.Errorf("accounts %s: %w; nothing was changed", path, err)
	}
	return list, nil
}

func parseAccountsYAML(text []byte, zone *time.Location) ([]billing.Contract, error) {
	var file struct {
		Terms    *termsYAML    `yaml:"terms"`
		Accounts []accountYAML `yaml:"accounts"`
	}
	if err := strictyaml.Decode(text, &file); err != nil {
		return nil, err
	}
	common := file.Terms.over(billing.DefaultTerms())
	out := make([]billing.Contract, len(file.Accounts))
	for n := range file.Accounts {
		var err error
		if out[n], err = file.Accounts[n].contract(common, zone); err != nil {
			return nil, fmt.Errorf("account %d (%q): %w", n+1, file.Accounts[n].Meter, err)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no accounts: list them under \"accounts\"")
	}
	return out, nil
}

// over returns terms with what y changes.
func (y *termsYAML) over(t billing.Terms) billing.Terms {
	if y == nil {
		return t
	}
	for _, f := range []struct{ to, from *int }{{&t.DueDays, y.DueDays}, {&t.Warn, y.Warn}, {&t.Stop, y.Stop}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if y.Late != nil {
		t.Late = &billing.LateFee{FreeDays: y.Late.FreeDays, PerDay: y.Late.PerDay, Cap: y.Late.Cap}
	}
	return t
}

func (y *accountYAML) contract(common billing.Terms, zone *time.Location) (c billing.Contract, err error) {
	c.Meter, c.Customer, c.Utility = schemas.MeterID(y.Meter), schemas.CustomerID(y.Customer), schemas.Medium(y.Utility)
	c.Mode, c.Channel, c.Terms = billing.Mode(y.Mode), y.Channel, y.Terms.over(common)
	if _, err := utilityOf(y.Utility, false); err != nil {
		return c, fmt.Errorf("utility %q: want water, power or gas", y.Utility)
	}
	if y.Limit != "" || c.Mode == billing.Credit {
		if c.Limit, err = schemas.ParseFen(y.Limit); err != nil {
			return c, fmt.Errorf("limit: %w", err)
		}
	}
	for _, f := range []struct {
		name, text string
		to         *time.Time
	}{{"from", y.From, &c.From}, {"begin", y.Begin, &c.Begin}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = momentIn(f.text, zone); err != nil {
			return c, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return c, c.Validate()
}

func parseAccountsCSV(text []byte, zone *time.Location) (list []billing.Contract, err error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.FieldsPerRecord = len(accountColumns())
	head, err := r.Read()
	if err != nil || !slices.Equal(head, accountColumns()) {
		return nil, errors.Join(fmt.Errorf("line 1: want the columns %s", strings.Join(accountColumns(), ",")), err)
	}
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // names the line
		}
		c, err := accountOf(f, zone)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no accounts below the names of the columns")
	}
	return list, nil
}

// accountOf reads one line.
func accountOf(f []string, zone *time.Location) (billing.Contract, error) {
	y := accountYAML{Meter: f[0], From: f[1], Customer: f[2], Utility: f[3], Mode: f[4], Limit: f[5], Channel: f[6], Begin: f[7], Terms: &termsYAML{}}
	var late lateYAML
	for n, to := range []func(int){
		func(v int) { y.Terms.DueDays = &v }, func(v int) { y.Terms.Warn = &v }, func(v int) { y.Terms.Stop = &v },
		func(v int) { late.FreeDays = v }, func(v int) { late.PerDay = v }, func(v int) { late.Cap = v },
	} {
		text := f[8+n]
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil {
			return billing.Contract{}, fmt.Errorf("%s: %q: want a whole number", accountColumns()[8+n], text)
		}
		to(v)
	}
	if f[11]+f[12]+f[13] != "" {
		y.Terms.Late = &late
	}
	return y.contract(billing.DefaultTerms(), zone)
}
