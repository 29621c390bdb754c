package tariff

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// Sample is a tariff file for water, power and gas, as an operator would write it.
//
//go:embed sample.yaml
var Sample []byte

// The bounds of a plan. Card files carry at most six steps [metering 4.3] and
// meters at most 12 rates in use.
const (
	maxSteps = 7
	maxRates = 12
	maxPrice = 1_000_000 // 100 yuan
)

type fileYAML struct {
	Plans []planYAML `yaml:"plans"`
}

type planYAML struct {
	ID       string        `yaml:"id"`
	Utility  string        `yaml:"utility"`
	Reset    string        `yaml:"reset"`
	Rounding string        `yaml:"rounding"`
	Versions []versionYAML `yaml:"versions"`
}

type versionYAML struct {
	From  string     `yaml:"from"`
	Price string     `yaml:"price"`
	Rates []string   `yaml:"rates"`
	Steps []stepYAML `yaml:"steps"`
}

type stepYAML struct {
	Above string `yaml:"above"`
	Price string `yaml:"price"`
	Add   string `yaml:"add"`
}

// Load reads a tariff file: YAML, see Sample. Prices are in yuan for a m³ or kWh
// with at most four decimals, thresholds in m³ or kWh with at most three.
// Prices must rise from step to step. The plans are in the order of the file.
func Load(data []byte) ([]Plan, error) {
	var file fileYAML
	if err := strictyaml.Decode(data, &file); err != nil {
		return nil, fmt.Errorf("tariff file: %w", err)
	}
	if len(file.Plans) == 0 {
		return nil, errors.New("tariff file: no plans: list them under \"plans\"")
	}
	plans := make([]Plan, 0, len(file.Plans))
	for i, y := range file.Plans {
		p, err := y.plan()
		if err != nil {
			return nil, fmt.Errorf("tariff file: plan %d (%q): %w", i+1, y.ID, err)
		}
		if slices.ContainsFunc(plans, func(q Plan) bool { return q.ID == p.ID }) {
			return nil, fmt.Errorf("tariff file: plan %d (%q): the id stands twice", i+1, y.ID)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// plan checks y and turns it into a Plan.
func (y *planYAML) plan() (Plan, error) {
	p := Plan{ID: y.ID, Utility: schemas.Medium(y.Utility), Reset: Reset(y.Reset), Rounding: Rounding(y.Rounding)}
	for i := range y.Versions {
		v, err := y.Versions[i].version()
		if err != nil {
			return Plan{}, fmt.Errorf("version %d (from %q): %w", i+1, y.Versions[i].From, err)
		}
		p.Versions = append(p.Versions, v)
	}
	return p, p.Validate()
}

// version turns y into a Version.
func (y *versionYAML) version() (Version, error) {
	from, err := ParseDate(y.From)
	if err != nil {
		return Version{}, err
	}
	v := Version{From: from}
	if err := y.rates(&v); err != nil {
		return Version{}, err
	}
	if len(y.Steps) == 0 {
		v.Steps = []Step{{}}
	}
	for i := range y.Steps {
		s, err := y.Steps[i].step(i, &v)
		if err != nil {
			return Version{}, fmt.Errorf("step %d: %w", i+1, err)
		}
		v.Steps = append(v.Steps, s)
	}
	return v, nil
}

// rates fills the prices of the first step: "price", "rates", or the first of "steps".
func (y *versionYAML) rates(v *Version) error {
	texts, given := y.Rates, 0
	if y.Price != "" {
		texts, given = []string{y.Price}, given+1
	}
	if len(y.Rates) > 0 {
		given++
	}
	if len(y.Steps) > 0 && y.Steps[0].Price != "" {
		texts, given = []string{y.Steps[0].Price}, given+1
	}
	if given != 1 {
		return errors.New("give the price once: \"price\", \"rates\", or a price for each of \"steps\"")
	}
	for _, text := range texts {
		n, err := parseFixed(text, 4)
		if err != nil {
			return fmt.Errorf("price %w", err)
		}
		v.Rates = append(v.Rates, Price(n))
	}
	return nil
}

// step turns the i-th step into a Step. v has its rates.
func (y *stepYAML) step(i int, v *Version) (Step, error) {
	if i == 0 && y.Above == "" && y.Add == "" {
		return Step{}, nil
	}
	if i == 0 {
		return Step{}, errors.New("the first step begins at 0 and adds nothing: leave out \"above\" and \"add\"")
	}
	above, err := parseFixed(y.Above, 3)
	if err != nil {
		return Step{}, fmt.Errorf("above %w", err)
	}
	if (y.Price == "") == (y.Add == "") {
		return Step{}, errors.New("give either \"price\" or, with rates, \"add\"")
	}
	if y.Price != "" && len(v.Rates) > 1 {
		return Step{}, errors.New("with several rates give \"add\": what the step adds to each rate")
	}
	add, err := parseFixed(y.Price+y.Add, 4)
	if err != nil {
		return Step{}, fmt.Errorf("price %w", err)
	}
	if y.Price != "" {
		add -= int64(v.Rates[0])
	}
	return Step{Above: above, Add: Price(add)}, nil
}

// parseFixed reads a decimal with at most the given number of decimals as a
// whole number of its last digit. It never rounds.
func parseFixed(text string, decimals int) (int64, error) {
	whole, frac, dotted := strings.Cut(text, ".")
	digits := whole + frac
	if whole == "" || dotted && frac == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%q: want digits with at most %d decimals", text, decimals)
	}
	if len(frac) > decimals {
		return 0, fmt.Errorf("%q: more than %d decimals", text, decimals)
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", decimals-len(frac)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q: too large", text)
	}
	return n, nil
}

// Validate reports the first thing in p that cannot be.
func (p *Plan) Validate() error {
	if p.ID == "" || strings.ContainsAny(p.ID, " \t\n") || len(p.ID) > 64 {
		return errors.New("id: want 1 to 64 characters without blanks")
	}
	if !slices.Contains([]schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}, p.Utility) {
		return fmt.Errorf("utility %q: want water, power or gas", p.Utility)
	}
	if p.Reset != Yearly && p.Reset != Monthly {
		return fmt.Errorf("reset %q: want yearly or monthly", p.Reset)
	}
	if p.Rounding != HalfUpPerLine {
		return fmt.Errorf("rounding %q: want %s", p.Rounding, HalfUpPerLine)
	}
	if len(p.Versions) == 0 {
		return errors.New("no versions: give at least one price set with its date")
	}
	for i := range p.Versions {
		v := &p.Versions[i]
		if i > 0 && v.From <= p.Versions[i-1].From {
			return fmt.Errorf("version from %s stands after one from %s: the earliest first, each date once", v.From, p.Versions[i-1].From)
		}
		if err := v.validate(); err != nil {
			return fmt.Errorf("version from %s: %w", v.From, err)
		}
	}
	return nil
}

// validate reports the first thing in v that cannot be.
func (v *Version) validate() error {
	if len(v.Rates) == 0 || len(v.Rates) > maxRates {
		return fmt.Errorf("%d rates: want 1 to %d", len(v.Rates), maxRates)
	}
	for _, price := range v.Rates {
		if price < 0 || price > maxPrice {
			return fmt.Errorf("price %d in 0.0001 yuan: want 0 to %d", price, maxPrice)
		}
	}
	if len(v.Steps) == 0 || len(v.Steps) > maxSteps || v.Steps[0] != (Step{}) {
		return fmt.Errorf("%d steps: want 1 to %d, the first from 0 and adding nothing", len(v.Steps), maxSteps)
	}
	for i := 1; i < len(v.Steps); i++ {
		s, before := v.Steps[i], v.Steps[i-1]
		if s.Above <= before.Above || s.Add < before.Add || s.Add > maxPrice {
			return fmt.Errorf("step %d: threshold and price must rise from step to step", i+1)
		}
	}
	return nil
}

// Digest returns what names p in the records of a run: its id, and the first 16
// hexadecimal digits of the SHA-256 of everything in it. Two plans that price
// alike by the same versions have the same digest.
func (p *Plan) Digest() string {
	var b strings.Builder
	fmt.Fprintf(&b, "citygrid tariff 1\n%q %s %s %s\n", p.ID, p.Utility, p.Reset, p.Rounding)
	for _, v := range p.Versions {
		fmt.Fprintf(&b, "%s %d", v.From, v.Rates)
		for _, s := range v.Steps {
			fmt.Fprintf(&b, " %d+%d", s.Above, s.Add)
		}
		b.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return p.ID + "@" + hex.EncodeToString(sum[:8])
}
