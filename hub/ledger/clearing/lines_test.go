package clearing

import (
	"errors"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
)

// TestRefusesReturns: lines end by LF only, in every line and under a digest that
// is right.
func TestRefusesReturns(t *testing.T) {
	good := encoded(t, sampleFile())
	body := good[:strings.LastIndex(good, ",")]
	at := strings.LastIndex(good, "#total")
	for _, text := range []string{strings.Replace(good[:at], "\n", "\r\n", 1), strings.Replace(good[:at], ",t1\n", ",t1\r\n", 1)} {
		text += body[at:] + "," + ledger.DigestOf([]byte(text)).String() + "\n"
		var bad *intake.FileError
		if _, err := Read(t.Context(), "", strings.NewReader(text)); !errors.As(err, &bad) {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
}
