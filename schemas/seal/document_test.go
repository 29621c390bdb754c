package seal

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocument holds schemas/envelope.md equal to the code and the vectors.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../envelope.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	packed := strings.NewReplacer(" ", "", "\n", "").Replace(text)
	v := loadEnvelopes(t)[0]
	for name, b := range map[string][]byte{
		"MK": v.MasterKey, "CK": v.CollectorKey, "session info": v.SessionInfo, "K": v.SessionKey, "nonce": v.Nonce,
		"protected header": v.Protected, "external AAD": v.ExternalAAD, "ciphertext": v.Ciphertext, "tag": v.Tag, "envelope": v.Envelope,
	} {
		if !strings.Contains(packed, fmt.Sprintf("%x", b)) {
			t.Errorf("envelope.md does not show the %s of the first vector, %x", name, b)
		}
	}
	for c := Readings; c <= Command; c++ {
		if row := fmt.Sprintf("| %d | %s | %s |", uint16(c), c, c.Role()); !strings.Contains(text, row) {
			t.Errorf("envelope.md has no row %q", row)
		}
	}
	for _, code := range []Code{FrameBad, SuiteUnknown, DeviceUnknown, GenerationUnknown, GenerationRetired, KeyUnavailable, TagWrong, ProviderMismatch} {
		if !strings.Contains(text, fmt.Sprintf("| `%s` |", code)) {
			t.Errorf("envelope.md has no row for %s", code)
		}
	}
	for v := New; v <= BootConflict; v++ {
		if !strings.Contains(text, fmt.Sprintf("| `%s` |", v)) {
			t.Errorf("envelope.md has no row for the verdict %s", v)
		}
	}
	for _, fact := range []string{"`" + fmt.Sprint(Alg) + "`", fmt.Sprintf("most\n%d bytes longer", MaxOverhead), "0 to 524,288 bytes", "33 to 68 bytes", "600,000"} {
		if !strings.Contains(text, fact) {
			t.Errorf("envelope.md does not say %q", fact)
		}
	}
}

// TestOverheadOfTheDocument holds the figure of section 4.
func TestOverheadOfTheDocument(t *testing.T) {
	s := mustSealer(t, func(c *SealerConfig) { c.Collector = "12345678" })
	if over := len(mustSeal(t, s, strings.Repeat("p", 100))) - 100; over != 63 {
		t.Errorf("%d bytes of overhead, envelope.md says 63", over)
	}
}
