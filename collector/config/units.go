package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/schemas"
)

// Duration is a time.Duration written "250ms", "15m".
type Duration time.Duration

// String returns the form that the file uses.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// UnmarshalYAML reads "250ms" or "15m"; a bare number is refused because its
// unit would be a guess.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is no duration: write it with its unit, as 250ms, 1s or 15m", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// checkInterval reports what cannot be the time between two reads: the hub is told of
// the slots of every meter, in whole milliseconds [schemas.Schedule].
func (d Duration) checkInterval() error {
	switch {
	case d < Duration(schemas.MinInterval):
		return fmt.Errorf("%s is shorter than %s", d, schemas.MinInterval)
	case d > Duration(schemas.MaxInterval):
		return fmt.Errorf("%s is longer than %s, which is 31 days", d, schemas.MaxInterval)
	}
	return d.checkWhole()
}

// checkWhole reports a duration that is not of whole milliseconds, and the next below that
// is.
func (d Duration) checkWhole() error {
	if t := time.Duration(d); t%time.Millisecond != 0 {
		return fmt.Errorf("%s is not a whole number of milliseconds; write %s", d, t.Truncate(time.Millisecond))
	}
	return nil
}

// Size is a number of bytes written "512MiB".
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (s Size) MarshalYAML() (any, error) {
	for _, u := range sizeUnits[:3] {
		if int64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.suffix), nil
		}
	}
	return fmt.Sprintf("%dB", int64(s)), nil
}

// UnmarshalYAML reads a whole number with a unit from B to GiB.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(n.Value, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || v < 0 || v > (1<<62)/u.bytes {
			break
		}
		*s = Size(v * u.bytes)
		return nil
	}
	return fmt.Errorf("line %d: %q is no size: write it as 512MiB or 2GiB", n.Line, n.Value)
}
