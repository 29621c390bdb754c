package enrolment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/schemas/seal"
)

// TestMain stands in for a program of a key service.
func TestMain(m *testing.M) {
	switch os.Getenv("ENROLMENT_TEST_KMS") {
	case "":
		os.Exit(m.Run())
	case "key":
		fmt.Println(hexKey(os.Args[1]))
	case "long":
		fmt.Print(strings.Repeat("ab", 5000))
	case "fail":
		fmt.Println(hexKey("1"))
		fmt.Fprintln(os.Stderr, "token expired")
		os.Exit(3)
	case "hang":
		fmt.Print(hexKey("1")[:10])
		time.Sleep(time.Hour)
	}
}

// hexKey is a key of 32 bytes that depends on what was asked for.
func hexKey(of string) string { return strings.Repeat(fmt.Sprintf("%02x", of[0]), seal.SecretSize) }

func TestCommand(t *testing.T) {
	c := Command{Args: []string{os.Args[0], "{generation}", "{tenant}"}, Tenant: "city"}
	t.Setenv("ENROLMENT_TEST_KMS", "key")
	m, err := c.Master(t.Context(), 7)
	if err != nil || m.Generation != 7 || m.Tenant != "city" || fmt.Sprintf("%x", m.Reveal()) != hexKey("7") {
		t.Fatalf("%v, %v", m, err)
	}
	for kind, want := range map[string]string{"fail": "token expired", "hang": "not done within", "long": "64 hexadecimal digits"} {
		t.Setenv("ENROLMENT_TEST_KMS", kind)
		c.Timeout = 10 * time.Second
		if kind == "hang" {
			c.Timeout = 200 * time.Millisecond
		}
		m, err := c.Master(t.Context(), 1)
		if m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", kind, m, err, want)
		}
		if err != nil && strings.Contains(err.Error(), hexKey("1")[:8]) {
			t.Errorf("%s: the error shows what was printed: %v", kind, err)
		}
	}
	if _, err := (Command{Args: []string{filepath.Join(t.TempDir(), "none")}, Tenant: "city"}).Master(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no such program: %v", err)
	}
	if _, err := (Command{}).Master(t.Context(), 1); err == nil {
		t.Error("no program at all")
	}
}

func TestHexSource(t *testing.T) {
	t.Setenv("MASTER_3", hexKey("3"))
	h := HexSource{Source: "env:MASTER_{generation}", Tenant: "city"}
	m, err := h.Master(t.Context(), 3)
	if err != nil || m.Generation != 3 || fmt.Sprintf("%x", m.Reveal()) != hexKey("3") {
		t.Fatalf("%v, %v", m, err)
	}
	t.Setenv("MASTER_4", "no key")
	for generation, want := range map[uint8]string{3: "not set", 4: "hexadecimal"} { // the 3 was taken
		if _, err := h.Master(t.Context(), generation); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "no key") {
			t.Errorf("%d: %v, want %q", generation, err, want)
		}
	}
}

func TestNotIncluded(t *testing.T) {
	_, err := (NotIncluded{Interface: "SDF (GM/T 0018)"}).Master(t.Context(), 1)
	if err == nil || !strings.Contains(err.Error(), "SDF (GM/T 0018) is not included") || !strings.Contains(err.Error(), "master.command") {
		t.Errorf("%v, want what to do", err)
	}
}

// A key under the wrong name is not taken for another.
func TestOpenRingChecks(t *testing.T) {
	list := &List{Masters: []MasterKey{{1, DecryptOnly}, {2, Active}}}
	one := testMaster(t)
	if _, err := OpenRing(t.Context(), list, fixed{one}, nil); err == nil || !strings.Contains(err.Error(), "master key 2 was asked for and 1 came") {
		t.Errorf("%v", err)
	}
}

// fixed gives one key whatever is asked for.
type fixed struct{ m *seal.Master }

func (f fixed) Master(context.Context, uint8) (*seal.Master, error) { return f.m, nil }
