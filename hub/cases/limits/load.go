package limits

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/hub/cases"
	"citygrid/internal/strictyaml"
	"citygrid/schemas/codes"
)

// Sample is a limits file as a city would write it, with limits that cities have
// published. They are examples and no default.
//
//go:embed sample.yaml
var Sample []byte

// maxRules bounds the limits of a file.
const maxRules = 10_000

// text is a value of the file that knows its line.
type text struct {
	string
	line int
}

// UnmarshalYAML keeps the line.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want one value", n.Line)
	}
	t.string, t.line = n.Value, n.Line
	return nil
}

// wrong is an error that names the line of t.
func (t text) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d: %w", t.line, fmt.Errorf(format, args...))
}

type fileYAML struct {
	Zone     text                 `yaml:"zone"`
	Week     map[string][]text    `yaml:"week"`
	Holidays []text               `yaml:"holidays"`
	Moved    map[string]text      `yaml:"moved"`
	Starts   text                 `yaml:"starts"`
	Rework   text                 `yaml:"rework"`
	Stages   map[string]stageYAML `yaml:"stages"`
	Limits   []limitYAML          `yaml:"limits"`
	Workflow workflowYAML         `yaml:"workflow"`
}

type stageYAML struct {
	Minutes text `yaml:"minutes"`
	Working bool `yaml:"working"`
}

type limitYAML struct {
	Class      text `yaml:"class"`
	Condition  text `yaml:"condition"`
	Area       text `yaml:"area"`
	Amount     text `yaml:"amount"`
	Unit       text `yaml:"unit"`
	Closes     text `yaml:"closes"`
	Department text `yaml:"department"`
	Source     text `yaml:"source"`
}

type workflowYAML struct {
	Sensors  []text `yaml:"sensors"`
	Dispatch []text `yaml:"dispatch"`
	Offline  text   `yaml:"offline"`
}

// Load reads a limits file: YAML, see Sample. Unknown keys are refused, and every
// error names the line where it can.
func Load(data []byte) (*Book, error) {
	b, err := load(data)
	if err != nil {
		return nil, fmt.Errorf("limits file: %w", err)
	}
	return b, nil
}

func load(data []byte) (*Book, error) {
	var y fileYAML
	if err := strictyaml.Decode(data, &y); err != nil {
		return nil, err
	}
	b := &Book{Stages: map[Stage]StageLimit{}, Starts: AtFiling, Rework: Anew}
	for _, part := range []func(*Book) error{y.calendar, y.policy, y.stages, y.limits, y.Workflow.rules} {
		if err := part(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func (y *fileYAML) calendar(b *Book) error {
	zone, err := time.LoadLocation(y.Zone.string)
	if y.Zone.string == "" || y.Zone.string == "Local" || err != nil {
		return y.Zone.wrong("zone %q: want the name of a time zone, such as Asia/Shanghai", y.Zone.string)
	}
	var week [7][]Shift
	for name, list := range y.Week {
		n := slices.Index(weekdays(), name)
		if n < 0 {
			return fmt.Errorf("week: %q is no weekday; want one of %v", name, weekdays())
		}
		if week[n], err = shifts(list); err != nil {
			return err
		}
	}
	special := map[Day][]Shift{}
	if err := y.holidays(special); err != nil {
		return err
	}
	if err := y.moved(week, special); err != nil {
		return err
	}
	b.Calendar, err = NewCalendar(zone, week, special)
	if err != nil {
		return fmt.Errorf("week: %w", err)
	}
	return nil
}

// shifts reads a day's shifts, in order: "08:30-12:00", or over midnight "22:00-06:00".
func shifts(list []text) ([]Shift, error) {
	var out []Shift
	for _, t := range list {
		from, to, _ := strings.Cut(t.string, "-")
		s := Shift{clock(from), clock(to)}
		if s.From < 0 || s.To < 0 || s.From == minutesOfDay {
			return nil, t.wrong("shift %q: want HH:MM-HH:MM", t.string)
		}
		if s.To <= s.From {
			s.To += minutesOfDay
		}
		out = append(out, s)
		if err := validShifts(out); err != nil {
			return nil, t.wrong("shift %q: %w", t.string, err)
		}
	}
	return out, nil
}

// clock reads HH:MM to 24:00 as minutes, or returns -1.
func clock(s string) int {
	if len(s) != 5 || s[2] != ':' {
		return -1
	}
	h, err1 := strconv.ParseUint(s[:2], 10, 8)
	m, err2 := strconv.ParseUint(s[3:], 10, 8)
	if err1 != nil || err2 != nil || m > 59 || h*60+m > minutesOfDay {
		return -1
	}
	return int(h*60 + m)
}

// maxSpan bounds a range of holidays, in days.
const maxSpan = 60

// holidays reads dates and ranges, "2026-10-01" or "2026-10-01..2026-10-07".
func (y *fileYAML) holidays(special map[Day][]Shift) error {
	for _, t := range y.Holidays {
		first, last, ranged := strings.Cut(t.string, "..")
		if !ranged {
			last = first
		}
		from, err := date(first)
		if err != nil {
			return t.wrong("holiday: %w", err)
		}
		to, err := date(last)
		if err != nil || to < from || to-from >= maxSpan {
			return t.wrong("holiday %q: want a date, or FIRST..LAST with at most %d days", t.string, maxSpan)
		}
		for d := from; d <= to; d++ {
			if _, twice := special[d]; twice {
				return t.wrong("holiday %s stands twice", d)
			}
			special[d] = nil
		}
	}
	return nil
}

func date(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < firstYear || t.Year() > lastYear {
		return 0, fmt.Errorf("%q is no date of the form 2026-10-01 in the years %d to %d", s, firstYear, lastYear)
	}
	return DayOf(t), nil
}

// moved reads the days that work like another weekday.
func (y *fileYAML) moved(week [7][]Shift, special map[Day][]Shift) error {
	for name, like := range y.Moved {
		d, err := date(name)
		if err != nil {
			return like.wrong("moved: %w", err)
		}
		n := slices.Index(weekdays(), like.string)
		if n < 0 || len(week[n]) == 0 {
			return like.wrong("moved %s: %q is no weekday with shifts", d, like.string)
		}
		if _, holiday := special[d]; holiday {
			return like.wrong("moved %s: the day is a holiday too", d)
		}
		special[d] = week[n]
	}
	return nil
}

func (y *fileYAML) policy(b *Book) error {
	switch Starts(y.Starts.string) {
	case AtFiling, AtDispatch:
		b.Starts = Starts(y.Starts.string)
	case "":
		return errors.New(`starts: missing; say "filed" or "dispatched"`)
	default:
		return y.Starts.wrong("starts %q: want filed or dispatched", y.Starts.string)
	}
	switch Rework(y.Rework.string) {
	case Anew, Left:
		b.Rework = Rework(y.Rework.string)
	case "":
		return errors.New(`rework: missing; say "anew" or "left"`)
	default:
		return y.Rework.wrong("rework %q: want anew or left", y.Rework.string)
	}
	return nil
}

// maxMinutes bounds a stage's limit: 30 days.
const maxMinutes = 30 * minutesOfDay

func (y *fileYAML) stages(b *Book) error {
	for name, s := range y.Stages {
		if !slices.Contains(Stages(), Stage(name)) {
			return s.Minutes.wrong("stage %q: want one of %v", name, Stages())
		}
		n, err := strconv.ParseInt(s.Minutes.string, 10, 64)
		if err != nil || n < 1 || n > maxMinutes {
			return s.Minutes.wrong("stage %s: minutes %q, want 1 to %d", name, s.Minutes.string, maxMinutes)
		}
		b.Stages[Stage(name)] = StageLimit{Minutes: n, Working: s.Working}
	}
	return nil
}

func (y *fileYAML) limits(b *Book) error {
	if len(y.Limits) > maxRules {
		return fmt.Errorf("%d limits, want at most %d", len(y.Limits), maxRules)
	}
	type key struct {
		class           codes.Ref
		condition, area string
	}
	lines := map[key]int{}
	for n := range y.Limits {
		r, err := y.Limits[n].rule()
		if err != nil {
			return err
		}
		k := key{r.Class, r.Condition, r.Area}
		if before, twice := lines[k]; twice {
			return y.Limits[n].Class.wrong("a limit for this class, condition and area stands in line %d already", before)
		}
		lines[k] = r.Line
		b.Rules = append(b.Rules, r)
	}
	return nil
}

func (y *limitYAML) rule() (Rule, error) {
	class, err := codes.Parse(y.Class.string)
	if err != nil {
		return Rule{}, y.Class.wrong("%w", err)
	}
	amount, err := strconv.ParseInt(y.Amount.string, 10, 64)
	if err != nil || amount < 1 || amount > cases.MaxAmount {
		return Rule{}, y.at(y.Amount).wrong("amount %q: want 1 to %d", y.Amount.string, cases.MaxAmount)
	}
	r := Rule{Class: class, Condition: y.Condition.string, Area: y.Area.string, Limit: cases.Limit{Amount: amount, Unit: cases.Unit(y.Unit.string)},
		Closes: y.Closes.string, Department: cases.DepartmentID(y.Department.string), Source: y.Source.string, Line: y.Class.line}
	if err := r.Limit.Validate(); err != nil {
		return Rule{}, y.at(y.Unit).wrong("%w", err)
	}
	if len([]rune(r.Condition)) > cases.MaxCondition || len([]rune(r.Area)) > cases.MaxAreaClass {
		return Rule{}, y.Class.wrong("condition or area longer than %d and %d characters", cases.MaxCondition, cases.MaxAreaClass)
	}
	return r, nil
}

// at gives a missing value the line of its limit.
func (y *limitYAML) at(t text) text {
	if t.line == 0 {
		t.line = y.Class.line
	}
	return t
}

func (y *workflowYAML) rules(b *Book) error {
	for _, t := range y.Sensors {
		switch t.string {
		case "accept":
			b.Workflow.SensorAccepts = true
		case "file":
			b.Workflow.SensorFiles = true
		case "check":
			b.Workflow.SensorChecks = true
		case "close":
			b.Workflow.SensorCloses = true
		default:
			return t.wrong("sensors: %q, want accept, file, check or close", t.string)
		}
	}
	for _, t := range y.Dispatch {
		class, err := codes.Parse(t.string)
		if err != nil {
			return t.wrong("dispatch: %w", err)
		}
		b.Workflow.HubDispatches = append(b.Workflow.HubDispatches, class)
	}
	if y.Offline.string == "" {
		return nil
	}
	d, err := time.ParseDuration(y.Offline.string)
	if err != nil || d < 0 || d > maxSpan*24*time.Hour {
		return y.Offline.wrong("offline %q: want a time such as 72h, at most %d days", y.Offline.string, maxSpan)
	}
	b.Workflow.Offline = d
	return nil
}
