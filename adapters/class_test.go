package adapters

import (
	"errors"
	"fmt"
	"testing"
)

type classed struct{ error }

func (classed) Class() Class { return Slow }

func TestClassOf(t *testing.T) {
	own := fmt.Errorf("wrapped: %w", classed{errors.New("x")})
	tests := map[string]struct {
		err  error
		want Class
	}{
		"none":                     {nil, Transient},
		"plain":                    {errors.New("x"), Transient},
		"by its method":            {own, Slow},
		"of a read":                {&Error{Class: Config, Err: errors.New("x")}, Config},
		"of a read, over a method": {fmt.Errorf("y: %w", &Error{Class: Config, Err: own}), Config},
	}
	for name, tc := range tests {
		if got := ClassOf(tc.err); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
