package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// exposure bounds what systemd-analyze security gives a unit, in tenths: 0 is locked up,
// 100 may do anything. A service without hardening has about 96.
const exposure = "20"

func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%v: install Debian's systemd", err)
	}
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units %v, %v; want three", units, err)
	}
	program := regexp.MustCompile(`(?m)^(ExecStart=)\S+`)
	for _, unit := range units {
		t.Run(filepath.Base(unit), func(t *testing.T) {
			text, err := os.ReadFile(unit)
			if err != nil {
				t.Fatal(err)
			}
			// verify wants a program that is there; cmd/citygrid tries the command lines.
			here := filepath.Join(t.TempDir(), filepath.Base(unit))
			if err := os.WriteFile(here, program.ReplaceAll(text, []byte("${1}/bin/true")), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(analyze, "verify", "--man=no", here).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("verify: %v\n%s", err, out)
			}
			if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold="+exposure, here).CombinedOutput(); err != nil {
				t.Errorf("exposed more than %s tenths: %v\n%s", exposure, err, out)
			}
		})
	}
}
