package probe

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/adapters/modbus/profiles"
)

// runProbe runs the command group with args.
func runProbe(ctx context.Context, in string, args ...string) (out, progress string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := New("test")
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

func saveArgs(file string, more ...string) []string {
	return append([]string{"block", "--save", file, "--pick", "1"}, more...)
}

// TestSaveMakesAProfileThatPasses: a new profile, a second field, and both files
// load and pass with the tool gone.
func TestSaveMakesAProfileThatPasses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my-meter.yaml")
	_, progress, err := runProbe(t.Context(), "", saveArgs(file, "--words", "D687 0012", "--at", "0x1000",
		"--display", "12345670", "--unit-of", "W.h", "--quantity", "power.energy.import",
		"--maker", "A: maker", "--model", "M#1", "--document", "manual p. 3")...)
	if err != nil || !strings.Contains(progress, "power.energy.import added") {
		t.Fatalf("%v, %s", err, progress)
	}
	text := read(t, file)
	if err := os.WriteFile(file, append([]byte("# Kept.\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runProbe(t.Context(), "", saveArgs(file, "--words", "4500 0000", "--at", "0x2012", "--function", "4",
		"--display", "204.8", "--quantity", "power.active")...); err != nil {
		t.Fatal(err)
	}
	text = read(t, file)
	if !strings.HasPrefix(string(text), "# Kept.\n") {
		t.Errorf("the comment is gone:\n%s", text)
	}
	p, err := profiles.Parse("my-meter.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Fields) != 2 || p.Fields[0].Parts[0].Shift != 1-3 || p.Fields[0].Parts[0].Order != profiles.CDAB ||
		p.Fields[1].Parts[0].Function != 4 || p.Maker != "A: maker" || p.Model != "M#1" {
		t.Errorf("%+v", p)
	}
	vectors, err := profiles.ParseVectors("my-meter.vectors.yaml", read(t, vectorsOf(file)), p)
	if err != nil || len(vectors) != 2 {
		t.Fatalf("%v, %v", vectors, err)
	}
	if got := vectors[0].Want[0].Value.String(); got != "12345.67" {
		t.Errorf("the golden vector expects %s kW.h", got)
	}
	if !strings.Contains(vectors[0].Source, "the display showed 12345670 W.h") {
		t.Errorf("source %q", vectors[0].Source)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSaveRefuses: nothing is written unless the whole is right.
func TestSaveRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.yaml")
	about := []string{"--maker", "a", "--model", "b", "--document", "c"}
	number := []string{"--words", "D687 0012", "--display", "1234567", "--quantity", "power.energy.import"}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no maker":       {saveArgs(file, number...), "--maker"},
		"no display":     {saveArgs(file, "--words", "D687 0012", "--quantity", "power.energy.import"), "--display"},
		"no pick":        {append([]string{"block", "--save", file}, number...), "--pick"},
		"pick too far":   {append(append([]string{"block", "--save", file, "--pick", "99"}, number...), about...), "ways are listed"},
		"bad quantity":   {saveArgs(file, "--words", "D687 0012", "--display", "1234567", "--quantity", "power.magic"), "power.magic"},
		"state":          {saveArgs(file, "--words", "0001", "--display", "1", "--quantity", "water.valve.state"), "by hand"},
		"unit":           {saveArgs(file, append(number, "--unit-of", "m3")...), "--unit-of m3"},
		"name":           {append([]string{"block", "--save", "m.txt", "--pick", "1"}, number...), ".yaml"},
		"some moments":   {append(saveArgs(file, "--words", "D687 0012", "--display", "1234567", "--words", "D688 0012", "--display", "7777", "--quantity", "power.energy.import"), about...), "1 of 2 moments"},
		"words missing":  {[]string{"block", "--words", "D687 0012", "--display", "1", "--display", "2"}, "as many"},
		"nothing fits":   {[]string{"block", "--words", "D687 0012", "--display", "77"}, "no way of reading"},
		"no line at all": {[]string{"block"}, "address config words"},
	} {
		_, _, err := runProbe(t.Context(), "", tc.args...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was written")
	}
	if _, _, err := runProbe(t.Context(), "", append(saveArgs(file, number...), about...)...); err != nil {
		t.Fatal(err)
	}
	before := read(t, file)
	if _, _, err := runProbe(t.Context(), "", saveArgs(file, number...)...); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a quantity twice: %v", err)
	}
	if err := os.WriteFile(vectorsOf(file), []byte(strings.Replace(string(read(t, vectorsOf(file))), `"1234567"`, `"1234568"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := runProbe(t.Context(), "", saveArgs(file, "--words", "4500 0000", "--at", "0x10", "--display", "204.8", "--quantity", "power.active")...)
	if err == nil || !strings.Contains(err.Error(), "expected 1234568") {
		t.Errorf("a vector that fails: %v", err)
	}
	if !bytes.Equal(before, read(t, file)) {
		t.Error("the profile was changed")
	}
}

// TestWaitForEnter ends with the context.
func TestWaitForEnter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	cancel()
	if err := wait(ctx, lines(r)); err != context.Canceled {
		t.Error(err)
	}
}
