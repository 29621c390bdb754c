package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"citygrid/hub/ledger/sts"
)

// TestSTS asks what tokens are. The test token is of the compliance test CTSA02
// [STS 531-1].
func TestSTS(t *testing.T) {
	data := uint64(0)<<44 | 0xA<<40 | 3155520<<16 | 1234
	opened := fmt.Sprintf("%016X", data<<16|uint64(sts.Checksum(sts.Credit, data)))
	credit := sts.Token{Class: sts.Credit, Block: 0x0123456789ABCDEF}.String()
	h, _ := ledgerHandler(t)
	for _, tt := range []struct {
		person, body string
		status       int
		want         string
	}{
		{"wang", `{"token":"5649 3153 7254 5031 3471"}`, 200, `"class":"test"`},
		{"zhang", `{"token":"` + credit + `"}`, 200, `"class":"credit"`},
		{"zhang", `{"token":"` + credit + `","opened":"` + opened + `"}`, 200, `"purchase":"tid:3155520"`},
		{"zhang", `{"token":"` + credit + `","opened":"` + opened[:15] + `"}`, 422, "16 hexadecimal digits"},
		{"zhang", `{"token":"5649 3153 7254 5031 3472"}`, 422, "check sum"},
		{"zhang", `{"token":5649315372545031}`, 422, "body.token"},
		{"zhang", `{"token":"` + credit + `","base":"2000"}`, 422, "base date"},
		{"zhang", `{"token":"` + strings.Repeat("5", 5000) + `"}`, 413, ""},
		{"", `{"token":"` + credit + `"}`, 401, ""},
	} {
		w := as(h, tt.person, "POST", "/api/v1/ledger/sts/parse", tt.body)
		text := w.Body.String()
		if w.Code != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %d %s; want %d, %q", tt.body, w.Code, text, tt.status, tt.want)
		}
		if strings.Contains(text, credit[:9]) || strings.Contains(text, "5649") {
			t.Errorf("%s: the answer shows the token: %s", tt.body, text)
		}
		var j TokenJSON
		if strings.Contains(tt.want, "tid:") {
			if err := json.Unmarshal(w.Body.Bytes(), &j); err != nil || j.Utility != "electricity" || *j.Units != 1234 || j.Unit != "kWh" || j.Issued.Year() != 2020 {
				t.Errorf("%+v, %v", j, err)
			}
		}
	}
}
