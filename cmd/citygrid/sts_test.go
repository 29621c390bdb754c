package main

import (
	"bytes"
	"strings"
	"testing"

	"citygrid/internal/cli"
)

// TestSTS uses the tokens of the compliance test CTSA02 [STS 531-1].
func TestSTS(t *testing.T) {
	for _, c := range []struct {
		args, in, want string
		code           int
	}{
		{"5649 3153 7254 5031 3471", "", "a test token, for any meter", 0},
		{"56493153725450313471", "", "its check sum is right", 0},
		{"-", "0230-5843-0050-5295-1967\n", "a test token", 0},
		{"0000 0000 0000 0000 0007", "", "2014-01-01 to 2045-11-24 (base date 2014)", 0},
		{"0000 0000 0000 0000 0007 --base 1993", "", "1993-01-01 to 2024-11-24 (base date 1993)", 0},
		{"0000 0000 0000 0000 0007 --base 2000", "", "--base", 2},
		{"0000 0000 0000 0000 0007 --opened 12", "", "16 hexadecimal digits", 1},
		{"5649 3153 7254 5031 3472", "", "a digit was mistyped", 1},
		{"-", "5649\n", "of 4 characters", 1},
	} {
		var out bytes.Buffer
		cmd := newSTS()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(strings.Fields(c.args))
		cmd.SetIn(strings.NewReader(c.in))
		cmd.SetOut(&out)
		err := cmd.Execute()
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		if cli.ExitCode(err) != c.code || !strings.Contains(text, c.want) || strings.Contains(text, "5649 3153") {
			t.Errorf("sts %s: code %d, %q; want %d, %q", c.args, cli.ExitCode(err), text, c.code, c.want)
		}
	}
}
