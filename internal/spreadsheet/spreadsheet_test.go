package spreadsheet

import "testing"

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "Zhang": "Zhang", "-50.00": "-50.00", "+1e3": "+1e3", "0101": "0101", " ": " ",
		`=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+SUM(A1)": "'+SUM(A1)", "-2+3": "'-2+3", "@x": "'@x",
		"\t=1+1": "'\t=1+1", "＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠A1": "'＠A1", "\u3000=1": "'\u3000=1", "微信": "微信", "1-2": "1-2", "\r\n-x": "'\r\n-x",
	} {
		if got := Text(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
