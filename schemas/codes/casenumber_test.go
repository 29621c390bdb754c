package codes

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func shanghai() *time.Location { return time.FixedZone("CST", 8*3600) }

func mustTemplate(tb testing.TB, pattern string) *CaseTemplate {
	tb.Helper()
	t, err := NewCaseTemplate(pattern, shanghai())
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// TestCaseNumberOfACity is the rule of one city as published: E0402202611220001.
func TestCaseNumberOfACity(t *testing.T) {
	template := mustTemplate(t, "E{class}{yyyymmdd}{serial:4}")
	// 17:30 UTC is the next day in the county.
	n := CaseNumber{Class: "0402", Day: time.Date(2026, 11, 21, 17, 30, 0, 0, time.UTC), Serial: 1}
	s, err := template.Format(n)
	if err != nil || s != "E0402202611220001" {
		t.Fatalf("%s, %v", s, err)
	}
	back, err := template.Parse(s)
	if err != nil || back.Class != "0402" || back.Serial != 1 || !back.Day.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, shanghai())) {
		t.Errorf("%+v, %v", back, err)
	}
	if s, err := template.Format(CaseNumber{Class: "06010", Day: n.Day, Serial: 9999}); err != nil || s != "E06010202611229999" {
		t.Errorf("%s, %v", s, err)
	}
	for _, wrong := range []CaseNumber{
		{Class: "0402", Day: n.Day, Serial: 10000}, {Class: "0402", Day: n.Day}, {Class: "402", Day: n.Day, Serial: 1},
		{Class: "04o2", Day: n.Day, Serial: 1}, {Class: "0402", Serial: 1}, {Day: n.Day, Serial: 1},
	} {
		if s, err := template.Format(wrong); err == nil {
			t.Errorf("%+v became %s", wrong, s)
		}
	}
}

func TestCaseNumberMistakes(t *testing.T) {
	template := mustTemplate(t, "{kind}-{county}{class:4}{yymmdd}{serial:3}")
	good := "C-3205080101261122007"
	n, err := template.Parse(good)
	if err != nil || n.Kind != Component || n.County != "320508" || n.Day.Year() != 2026 || n.Serial != 7 {
		t.Fatalf("%+v, %v", n, err)
	}
	for s, want := range map[string]string{
		"X-3205080101261122007":  "character 1 (kind)",
		"C_3205080101261122007":  "character 2 (fixed)",
		"C-0000000101261122007":  "characters 3 to 8 (county)",
		"C-3200080101261122007":  "characters 3 to 8 (county)",
		"C-320508o101261122007":  "characters 9 to 12 (class)",
		"C-3205080101261322007":  "characters 13 to 18 (yymmdd): 261322 is no day",
		"C-3205080101261122000":  "characters 19 to 21 (serial): serials begin at 1",
		"C-32050801012611220007": "22 characters; want 21",
		"":                       "empty",
	} {
		if _, err := template.Parse(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", s, err, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	for pattern, want := range map[string]string{
		"E{class}{yyyymmdd}{serial:4}":            "",
		"{county}-{yymmdd}_{serial:9}":            "",
		"":                                        "want a {serial:N}",
		"{yyyymmdd}":                              "want a {serial:N}",
		"{serial:4}":                              "one of {yyyymmdd} and {yymmdd}",
		"{yyyymmdd}{yymmdd}{serial:4}":            "one of {yyyymmdd} and {yymmdd}",
		"{yyyymmdd}{serial}":                      "{serial} needs a width",
		"{yyyymmdd}{serial:0}":                    "{serial} needs a width",
		"{yyyymmdd}{serial:10}":                   "{serial} needs a width",
		"{yyyymmdd}{serial:4}{serial:4}":          "{serial} is there twice",
		"{yyyymmdd:8}{serial:4}":                  "takes no width",
		"{class:2}{yyyymmdd}{serial:4}":           "want 3 to 8 digits",
		"{minor}{yyyymmdd}{serial:4}":             "unknown field {minor}",
		"案{yyyymmdd}{serial:4}":                   "character 1",
		"{yyyymmdd}{serial:4":                     "character 11",
		strings.Repeat("E", 65) + "{yyyymmdd}{s}": "longer than 64",
	} {
		_, err := NewCaseTemplate(pattern, shanghai())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", pattern, err, want)
		}
	}
	if _, err := NewCaseTemplate("{yyyymmdd}{serial:4}", nil); err == nil {
		t.Error("a template without a zone")
	}
}

func FuzzCaseNumber(f *testing.F) {
	f.Add("E{class}{yyyymmdd}{serial:4}", "E0402202611220001")
	f.Add("{kind}-{county}{class:4}{yymmdd}{serial:3}", "C-3205080101261122007")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		template, err := NewCaseTemplate(pattern, shanghai())
		checkMessage(t, err)
		if err != nil {
			return
		}
		n, err := template.Parse(s)
		checkMessage(t, err)
		if err != nil {
			return
		}
		if back, err := template.Format(n); err != nil || back != s {
			t.Errorf("%s: %q became %q, %v", pattern, s, back, err)
		}
		if r := template.Explain(s); len(r.Against) > 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestExplain(t *testing.T) {
	l := mustEmbedded(t)
	for _, c := range []struct{ code, standard, want string }{
		{"3205080101000001", "", "component id|CJ/T 214-2007|32 江苏省 Jiangsu,05,08,01 公用设施类 public utilities,0101 上水井盖 water supply manhole cover,000001| component id|GB/T 30428.2-2013|32 江苏省 Jiangsu,05,08,0101,000001|!import the city's list"},
		{"3205080101000001", GBT47678, "component id|GB/T 47678.5-2026||!16 digits are the length of CJ/T 214-2007"},
		{"320508001", "", "street code|GB/T 2260-2007, GB/T 10114|32 江苏省 Jiangsu,05,08,001 street|"},
		{"990508", "", "county code|GB/T 2260-2007, GB/T 10114|99,05,08|!GB/T 2260 has no 99"},
		{"320508001001001", "", "cell code|GB/T 30428.1-2013, GB/T 47678.3|32 江苏省 Jiangsu,05,08,001 street,001,001|"},
		{"32050806010", "", "event class code|GB/T 47678.5-2026|32 江苏省 Jiangsu,05,08,06 市容环境类 city appearance,06010 暴露垃圾 exposed garbage|"},
		{"0402", "", "component class|CJ/T 214-2007|04 园林绿化类 parks and greenery,0402 行道树 street tree| event class|CJ/T 214-2007|04 突发事件 emergencies,0402 自来水管破裂 burst water main|"},
		{"CJ/T 214-2007:event:0402", "", "event class|CJ/T 214-2007|04 突发事件 emergencies,0402 自来水管破裂 burst water main|"},
		{"CJ/T 214-2007:event:0999", "", "event class|CJ/T 214-2007||!did you mean"},
		{"01016", "", "component class|GB/T 47678.5-2026||!the number is missing from the list"},
		{"1", "", "unknown code|||!1 characters"},
	} {
		got := l.Explain(c.code, c.standard)
		if text := readings(got); !matchReadings(text, c.want) {
			t.Errorf("%s: %s\nwant %s", c.code, text, c.want)
		}
	}
}

// readings writes readings as "what|standard|parts|!against".
func readings(list []Reading) string {
	var out []string
	for _, r := range list {
		var parts []string
		for _, p := range r.Parts {
			parts = append(parts, strings.TrimSpace(p.Digits+" "+p.Means))
		}
		against := ""
		if len(r.Against) > 0 {
			against = "!" + strings.Join(r.Against, " ")
		}
		out = append(out, fmt.Sprintf("%s|%s|%s|%s", r.What, r.Standard, strings.Join(parts, ","), against))
	}
	return strings.Join(out, " ")
}

// matchReadings compares all but the text of a contradiction, of which want has a part.
func matchReadings(got, want string) bool {
	before, after, contradicted := strings.Cut(want, "!")
	if !contradicted {
		return got == want
	}
	return strings.HasPrefix(got, before+"!") && strings.Contains(got, after)
}
