package ask

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"citygrid/adapters"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// TestPass: "a" is an answer, "d" a request without any, "f" one that failed
// otherwise.
func TestPass(t *testing.T) {
	for _, tt := range []struct {
		steps        string
		over, silent bool
	}{
		{"", false, false}, {"a", false, false}, {"f", false, false}, {"fff", false, false},
		{"d", true, true}, {"fd", true, true}, {"ad", false, false}, {"afd", false, false},
		{"add", true, false}, {"adad", true, false},
	} {
		var p Pass
		for n, step := range tt.steps {
			if step == 'a' {
				p.Answered()
				p.Readings = append(p.Readings, schemas.Reading{})
				continue
			}
			p.Fail(&adapters.Error{Err: fmt.Errorf("%d", n)}, step == 'd')
		}
		if p.Over() != tt.over || p.Silent() != tt.silent {
			t.Errorf("%s: over %v, silent %v", tt.steps, p.Over(), p.Silent())
		}
		readings, err := p.Result()
		first := strings.IndexAny(tt.steps, "df")
		if len(readings) != strings.Count(tt.steps, "a") || (err == nil) != (first < 0) || err != nil && !strings.HasSuffix(err.Error(), fmt.Sprint(first)) {
			t.Errorf("%s: %d readings, %v", tt.steps, len(readings), err)
		}
	}
}

func TestUnanswered(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&line.NoAnswer{}, true}, {&line.DialError{Err: errors.New("refused")}, true}, {context.Canceled, true},
		{&adapters.Error{Class: adapters.Config, Err: errors.New("misfit")}, false}, {line.Refuse("noise"), false}, {&line.DeviceError{Err: errors.New("no")}, false},
	} {
		if got := Unanswered(fmt.Errorf("read: %w", tt.err)); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

func TestNotServed(t *testing.T) {
	l := line.New(line.Config{Name: "cellar", Address: "10.0.0.5:502"})
	err := NotServed("M-1", l, context.DeadlineExceeded)
	want := "meter M-1: waited for the line cellar (10.0.0.5:502): context deadline exceeded: it is busy with other meters; lengthen the interval"
	if err.Error() != want || err.Class != adapters.Transient || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := NotServed("M-1", l, context.Canceled); strings.Contains(err.Error(), "interval") {
		t.Errorf("%v", err)
	}
}
