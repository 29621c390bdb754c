package yeargrid

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/hub/cases/limits"
	"citygrid/simulators/district"
)

// book writes the district's rules as a limits file, and reads that as the hub does.
func book(r *district.Rules) (*limits.Book, error) {
	b, err := limits.Load([]byte(LimitsFile(r)))
	if err != nil {
		return nil, fmt.Errorf("the rules of the district: %w", err)
	}
	return b, nil
}

// LimitsFile writes rules as docs/cases.md has it, and the hub reads it.
func LimitsFile(r *district.Rules) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zone: %s\nweek:\n", r.Zone)
	for n, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		fmt.Fprintf(&b, "  %s: [%s]\n", name, quoted(r.Week[n]))
	}
	fmt.Fprintf(&b, "holidays: [%s]\nmoved: {", quoted(r.Holidays))
	for _, day := range sortedKeys(r.Moved) {
		fmt.Fprintf(&b, "%s: %s, ", day, r.Moved[day])
	}
	fmt.Fprintf(&b, "}\nstarts: %s\nrework: %s\nstages:\n", r.Starts, r.Rework)
	for _, stage := range sortedKeys(r.Stages) {
		fmt.Fprintf(&b, "  %s: {minutes: %d, working: %v}\n", stage, r.Stages[stage], slices.Contains(r.WorkStages, stage))
	}
	b.WriteString("limits:\n")
	for _, l := range r.Limits {
		fmt.Fprintf(&b, "  - {class: %q, condition: %q, area: %q, amount: %d, unit: %s}\n", l.Class, l.Condition, l.Area, l.Amount, l.Unit)
	}
	var classes []string
	for _, c := range r.Dispatch {
		classes = append(classes, c.String())
	}
	fmt.Fprintf(&b, "workflow:\n  sensors: [%s]\n  dispatch: [%s]\n  offline: %s\n", quoted(r.Sensors), quoted(classes), r.Offline)
	return b.String()
}

func quoted(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(words, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
