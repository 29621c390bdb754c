package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exposure bounds what systemd-analyze security gives a unit, in tenths: 0 is locked up,
// 100 may do anything. A service without hardening has about 96.
const exposure = "20"

// promises are lines that the manual and the threat model rely on, by unit; those of "" are
// of all three. One of them alone moves the exposure by a tenth or two, or not at all.
var promises = map[string][]string{
	"": {
		"User=citygrid", "Group=citygrid", "UMask=0077", "StateDirectoryMode=0700",
		"NoNewPrivileges=true", "CapabilityBoundingSet=", "AmbientCapabilities=", "ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true",
		"ProtectProc=invisible", "MemoryDenyWriteExecute=true", "LockPersonality=true", "RestrictNamespaces=true", "RestrictSUIDSGID=true",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallArchitectures=native", "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
		"LimitCORE=0", "Restart=always", "KillMode=mixed", "TimeoutStopSec=60s", "WantedBy=multi-user.target",
	},
	"hub": {
		"StateDirectory=citygrid-hub", "PrivateDevices=true", "MemorySwapMax=0", "ExecReload=/bin/kill -HUP $MAINPID", "After=network-online.target",
		"LoadCredential=passphrase:/etc/citygrid/credentials/passphrase", "StartLimitIntervalSec=10min",
	},
	"broker": {"StateDirectory=citygrid-broker", "PrivateDevices=true", "ExecReload=/bin/kill -HUP $MAINPID", "After=network-online.target", "StartLimitIntervalSec=10min"},
	"collector": { // it starts without a network, and is never given up
		"StateDirectory=citygrid", "DevicePolicy=closed", "SupplementaryGroups=dialout", "MemorySwapMax=0", "MemoryMax=128M",
		"After=local-fs.target time-sync.target", "StartLimitIntervalSec=0",
	},
}

// TestUnitsKeepTheirPromises: each line is there, and is not taken back by another.
func TestUnitsKeepTheirPromises(t *testing.T) {
	for _, name := range []string{"hub", "broker", "collector"} {
		text, err := os.ReadFile("systemd/citygrid-" + name + ".service")
		if err != nil {
			t.Fatal(err)
		}
		lines, want := strings.Split(string(text), "\n"), slices.Concat(promises[""], promises[name])
		for _, line := range want {
			if !slices.Contains(lines, line) {
				t.Errorf("%s does not say %s", name, line)
			}
			key, _, _ := strings.Cut(line, "=")
			for _, other := range lines {
				if strings.HasPrefix(other, key+"=") && !slices.Contains(want, other) {
					t.Errorf("%s says %s beside %s", name, other, line)
				}
			}
		}
	}
}

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
