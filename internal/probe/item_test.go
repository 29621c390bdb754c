package probe

import (
	"net"
	"slices"
	"strings"
	"testing"

	"citygrid/simulators"
	"citygrid/simulators/lab"
)

func mustListen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func TestItem(t *testing.T) {
	_, address := onServer(t, lab.Config{Serial: fast(), Slaves: []lab.Slave{
		slave(t, simulators.NewDLT645, mustMeter(t, "dlt645-three-phase", 0, plate645)),
		slave(t, simulators.NewCJT188, mustMeter(t, "cjt188-cold-water", 0, plate188)),
	}})
	on := []string{"item", "--address", address, "--serial", "115200-8E1"}
	out, _, err := runProbe(t.Context(), "", append(on, "--protocol", "dlt645", "--di", "0001FF00")...)
	if err != nil || !strings.Contains(out, "meter "+plate645+", item 0001FF00: ") || !strings.Contains(out, "SHIFT -2") {
		t.Errorf("%v: %s", err, out)
	}
	out, _, err = runProbe(t.Context(), "", append(on, "--protocol", "cjt188", "--meter", plate188, "--di", "901F")...)
	if err != nil || !strings.Contains(out, plate188+", type 10") || !strings.Contains(out, "2C: m3 x 10^0") {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{
		{"--protocol", "dlt645", "--di", "xyz"}, {"--protocol", "knx", "--di", "1"}, {"--protocol", "dlt645", "--di", "00010000", "--edition", "1997"},
		{"--protocol", "cjt188", "--di", "00010000"}, {"--protocol", "dlt645", "--di", "00010000", "--meter", "12"}, {"--protocol", "cjt188", "--di", "901F", "--edition", "2007"},
	} {
		if _, _, err := runProbe(t.Context(), "", append(on, args...)...); err == nil {
			t.Errorf("%v accepted", args)
		}
	}
	_, _, err = runProbe(t.Context(), "", append(on, "--protocol", "dlt645", "--di", "0EEEEEEE")...)
	if err == nil || !strings.Contains(err.Error(), "no such data") {
		t.Error(err)
	}
}

// TestBCDReadings: 26 00 00 00 is 0.26 [hwhale.com article 138066], and a volume
// of CJ/T 188 stands with its unit.
func TestBCDReadings(t *testing.T) {
	r := bcdReadings([]byte{0x26, 0, 0, 0}, false)
	if len(r) == 0 || r[0].Bytes != 4 || !slices.Equal(r[0].Shifts, []string{"26", "2.6", "0.26", "0.026", "0.0026"}) {
		t.Errorf("%+v", r)
	}
	r = bcdReadings([]byte{0x56, 0x34, 0x12, 0, 0x2C, 0, 0}, true)
	if len(r) == 0 || r[0].At != 0 || r[0].Shifts[2] != "1234.56" || r[0].Unit != "2C: m3 x 10^0" {
		t.Errorf("%+v", r)
	}
	if r := bcdReadings([]byte{0x5A, 0xFF}, false); len(r) != 0 {
		t.Errorf("%+v", r)
	}
}
