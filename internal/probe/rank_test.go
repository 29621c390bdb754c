package probe

import (
	"slices"
	"testing"

	"citygrid/adapters/modbus/profiles"
)

func mustMoment(t *testing.T, hex, shown string) moment {
	t.Helper()
	raw, err := parseWords(hex)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDisplay(shown)
	if err != nil {
		t.Fatal(err)
	}
	return moment{d, raw}
}

// TestTheDisplaysNumberIsFound: published bytes, and those of the decoder matrix
// (computed outside Go), rank the right way of reading first. The sources: TUF
// and Xintai bytes from nv2118.com post 488 and a public driver; SDM320Y manual
// p. 42; changlivise.com techDetail 1574; captures of the DTSU666 in
// pacraf/foxess_chint_modbus_bridge.
func TestTheDisplaysNumberIsFound(t *testing.T) {
	for _, tc := range []struct {
		name, words, shown string
		want               Pick
	}{
		{"TUF-2000M float", "806B 4212", "36.625", Pick{Type: profiles.F32, Words: 2, Order: profiles.CDAB, Fit: Rounded}},
		{"Xintai float", "1E85 0B3F", "0.545", Pick{Type: profiles.F32, Words: 2, Order: profiles.DCBA, Fit: Rounded}},
		{"gas float", "449B 6392", "1243.11", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD, Fit: Rounded}},
		{"Eastron voltage", "4366 3334", "230.2", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD, Fit: Rounded}},
		{"Changli flow", "0000 C148", "-12.5", Pick{Type: profiles.F32, Words: 2, Order: profiles.CDAB}},
		{"DTSU666 power", "4500 0000", "204.8", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD, Shift: -1}},
		{"DTSU666 export", "440D 370A", "564.86", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD}},
		{"float ABCD", "449A 5000", "1234.5", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD}},
		{"float BADC", "9A44 0050", "1234.5", Pick{Type: profiles.F32, Words: 2, Order: profiles.BADC}},
		{"float in kilo", "449A 5000", "1234500", Pick{Type: profiles.F32, Words: 2, Order: profiles.ABCD, Shift: 3}},
		{"u32 CDAB", "D687 0012", "12345.67", Pick{Type: profiles.U32, Words: 2, Order: profiles.CDAB, Shift: -2}},
		{"u32 BADC", "1200 87D6", "1234567", Pick{Type: profiles.U32, Words: 2, Order: profiles.BADC}},
		{"i64 words swapped", "CD15 075B 0000 0000", "123456789", Pick{Type: profiles.U32, Words: 2, Order: profiles.CDAB}},
		{"bcd", "0012 3456 7800", "12345.6", Pick{At: 0, Type: profiles.BCD, Words: 2, Order: profiles.ABCD, Shift: -1, Fit: Exact}},
		{"among others", "FFFF 0000 806B 4212 0001", "36.6", Pick{At: 2, Type: profiles.F32, Words: 2, Order: profiles.CDAB, Fit: Rounded}},
	} {
		picks := rankPicks(0x100, []moment{mustMoment(t, tc.words, tc.shown)})
		if len(picks) == 0 {
			t.Errorf("%s: nothing gives %s", tc.name, tc.shown)
			continue
		}
		p, w := picks[0], tc.want
		if p.At != w.At+0x100 || p.Type != w.Type || p.Words != w.Words || p.Order != w.Order || p.Shift != w.Shift || p.Fit != w.Fit {
			t.Errorf("%s: %s read as %+v", tc.name, tc.shown, p)
		}
	}
}

// TestMomentsTellWaysApart: two registers hold the number of the first moment;
// only one moved with the display.
func TestMomentsTellWaysApart(t *testing.T) {
	first, second := "0000 3039 0000 3039", "0000 3039 0000 303C"
	one := rankPicks(0, []moment{mustMoment(t, first, "123.45")})
	if one[0].At != 0 || one[0].better(one[1]) {
		t.Errorf("one moment: %+v before %+v", one[0], one[1])
	}
	two := rankPicks(0, []moment{mustMoment(t, first, "123.45"), mustMoment(t, second, "123.48")})
	if p := two[0]; p.At < 2 || p.Hits != 2 || !p.Moved || p.Shift != -2 || !slices.Equal(p.Values, []string{"123.45", "123.48"}) {
		t.Errorf("two moments: %+v", p)
	}
	for _, p := range two {
		if p.At+uint16(p.Words) <= 2 && (p.Moved || p.Hits > 1) {
			t.Errorf("a register that stood still: %+v", p)
		}
	}
}

// TestStandingStillIsNoProof: with a display that moves by one digit, a register
// that stood still is within the tolerance of both moments, and ranks lower.
func TestStandingStillIsNoProof(t *testing.T) {
	picks := rankPicks(0, []moment{mustMoment(t, "0000 3039 0000 3039", "123.45"), mustMoment(t, "0000 3039 0000 303A", "123.46")})
	if p := picks[0]; p.At < 2 || !p.Moved || p.Fit != Exact || !p.better(picks[len(picks)-1]) {
		t.Errorf("%+v", p)
	}
	still := slices.IndexFunc(picks, func(p Pick) bool { return p.At == 0 && p.Hits == 2 })
	if still < 0 || picks[still].Moved {
		t.Errorf("the register that stood still: %+v", picks)
	}
}

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		shown, value string
		want         Fit
	}{
		{"1234.56", "1234.56", Exact},
		{"1234.50", "1234.5", Exact},
		{"1234.56", "1234.5649", Rounded},
		{"1234.56", "1234.5551", Rounded},
		{"1234.56", "1234.555", Rounded},
		{"1234.56", "1234.5699", Rounded}, // cut off
		{"-12.5", "-12.59", Rounded},
		{"1234.56", "1234.57", Near},
		{"1234.56", "1234.5501", Near},
		{"-12.5", "-12.41", Near},
		{"1234.56", "1234.58", Off},
		{"1234", "1235.1", Off},
		{"0", "0.0", Exact},
	} {
		d, err := parseDisplay(tc.shown)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseDisplay(tc.value)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.fit(v.value); got != tc.want {
			t.Errorf("display %s, value %s: %s, want %s", tc.shown, tc.value, got, tc.want)
		}
	}
	if _, err := parseDisplay("12,5"); err == nil {
		t.Error("12,5 accepted")
	}
}

// TestViews: the decoder matrix, every order side by side.
func TestViews(t *testing.T) {
	raw, err := parseWords("449A5000")
	if err != nil {
		t.Fatal(err)
	}
	all := views(3, 7, raw)
	find := func(typ string) View {
		i := slices.IndexFunc(all, func(v View) bool { return v.Type == typ && v.At == 7 })
		if i < 0 {
			t.Fatalf("no %s in %v", typ, all)
		}
		return all[i]
	}
	if v := find("f32"); v.Values[profiles.ABCD] != "1234.5" || v.Words != "449A 5000" {
		t.Errorf("%+v", v)
	}
	if v := find("u32"); v.Values[profiles.ABCD] != "1150963712" || v.Values[profiles.CDAB] != "1342194842" || v.Values[profiles.DCBA] != "5282372" {
		t.Errorf("%+v", v)
	}
	if v := find("u16"); v.Values[profiles.ABCD] != "17562" || v.Values[profiles.BADC] != "39492" || len(v.Values) != 2 {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{"", "44", "44G0", "449A50"} {
		if _, err := parseWords(bad); err == nil {
			t.Errorf("words %q accepted", bad)
		}
	}
}
