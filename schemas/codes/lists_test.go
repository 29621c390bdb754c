package codes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func mustEmbedded(tb testing.TB) *Lists {
	tb.Helper()
	l, err := Embedded()
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestEmbeddedHoldsTheFacts counts the classes of each major class as the tables have
// them, and holds all codes and Chinese names against a digest made from the tables
// themselves (lines "code name", in their order), so that no row was lost or changed.
func TestEmbeddedHoldsTheFacts(t *testing.T) {
	want := []struct {
		standard string
		kind     Kind
		majors   string
		missing  int
		digest   string
	}{
		{CJT214, Component, "01:38 02:17 03:11 04:10 05:3 06:6", 0, "95ff818c0e4eb7c4"},
		{CJT214, Event, "01:19 02:5 03:6 04:10 05:14", 0, "64009caf4477e453"},
		{GBT47678, Component, "01:76 02:44 03:16 04:14 05:3", 7, "dda34b47bc5b18df"},
		{GBT47678, Event, "01:76 02:44 03:16 04:14 05:3 06:51 07:7 08:16 09:21 10:2", 10, "03df4fb326164238"},
		{Extension, Component, "meter:4 device:5 terminal:3", 0, ""},
		{Extension, Event, "field:11", 0, ""},
	}
	l := mustEmbedded(t)
	if n := len(l.All()); n != len(want) {
		t.Errorf("%d lists, want %d", n, len(want))
	}
	for _, w := range want {
		list := l.newest(w.standard, w.kind)
		if list == nil {
			t.Errorf("no %s of %s", w.kind, w.standard)
			continue
		}
		if got := countMajors(list); got != w.majors {
			t.Errorf("%s %s: %s, want %s", w.standard, w.kind, got, w.majors)
		}
		if len(list.Missing) != w.missing {
			t.Errorf("%s %s: %d missing, want %d", w.standard, w.kind, len(list.Missing), w.missing)
		}
		if got := digest(list); w.digest != "" && got != w.digest {
			t.Errorf("%s %s: digest %s, want %s", w.standard, w.kind, got, w.digest)
		}
	}
}

func countMajors(l *List) string {
	var order []string
	count := make(map[string]int)
	for _, c := range l.Classes {
		if count[c.Major.Code] == 0 {
			order = append(order, c.Major.Code)
		}
		count[c.Major.Code]++
	}
	for i, m := range order {
		order[i] = fmt.Sprintf("%s:%d", m, count[m])
	}
	return strings.Join(order, " ")
}

func digest(l *List) string {
	h := sha256.New()
	for _, c := range l.Classes {
		fmt.Fprintf(h, "%s %s\n", c.Ref.Code, c.ZH)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// TestEmbeddedIsWhole checks what Validate leaves to the lists together.
func TestEmbeddedIsWhole(t *testing.T) {
	l := mustEmbedded(t)
	refs := make(map[Ref]bool)
	for _, list := range l.All() {
		if list.Standard != Extension && !strings.Contains(list.Note, "no conformity is claimed") {
			t.Errorf("%s: %q", list.Standard, list.Note)
		}
		for _, c := range list.Classes {
			if refs[c.Ref] || c.ZH == "" || c.EN == "" || c.Major.ZH == "" || c.Major.EN == "" || c.Version == "" {
				t.Errorf("%+v", c)
			}
			refs[c.Ref] = true
			if c.Of != "" {
				of, err := l.Lookup(Ref{c.Ref.Standard, Component, c.Of})
				if err != nil || of.ZH+"异常" != c.ZH || of.Utility != c.Utility {
					t.Errorf("%s is of %s %s: %v", c.ZH, c.Of, of.ZH, err)
				}
			}
		}
	}
	if n := len(l.Search("")); n != len(refs) {
		t.Errorf("%d classes, the lists have %d", n, len(refs))
	}
}

func TestTerms(t *testing.T) {
	want := map[string]int{
		"component_state": 5, "data_source": 4, "accuracy_class": 3, "report_source": 10, "case_type": 3,
		"media_kind": 3, "media_stage": 4, "role": 6, "limit_unit": 3, "grade": 5, "province": 34,
	}
	l := mustEmbedded(t)
	for _, list := range l.TermLists() {
		seen := make(map[string]bool)
		for _, term := range list.Terms {
			if seen[term.Key] || !word(term.Key) || term.ZH == "" || term.EN == "" {
				t.Errorf("%s: %+v", list.Name, term)
			}
			seen[term.Key] = true
		}
		if len(list.Terms) != want[list.Name] || list.Source == "" || list.Sure == "" {
			t.Errorf("%s: %d terms, want %d", list.Name, len(list.Terms), want[list.Name])
		}
		delete(want, list.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	for _, key := range []string{"sensor", "自动监测"} {
		if term, err := l.Term("report_source", key); err != nil || term.Key != "sensor" {
			t.Errorf("%s: %+v, %v", key, term, err)
		}
	}
	if _, err := l.Term("role", "boss"); err == nil || !strings.Contains(err.Error(), "shift_leader 值班长") {
		t.Error(err)
	}
}

func TestLookup(t *testing.T) {
	l := mustEmbedded(t)
	c, err := l.Lookup(Ref{CJT214, Component, "0101"})
	if err != nil || c.ZH != "上水井盖" || c.Utility != "water" || c.Major != (Major{"01", "公用设施类", "public utilities"}) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := l.Lookup(Ref{CJT214, Event, "0402"}); err != nil || c.ZH != "自来水管破裂" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"CJT 214-2007:component:0101":          "did you mean CJ/T 214-2007:component:0101 上水井盖",
		"CJ/T 214:component:0101":              "did you mean CJ/T 214-2007:component:0101",
		"CJ/T 214-2007:component:0112x":        "have 4 digits; did you mean CJ/T 214-2007:component:0112",
		"CJ/T 214-2007:component:1011":         "0111", // exchanged digits
		"CJ/T 214-2007:component:0499":         "CJ/T 214-2007:event:0499",
		"GB/T 47678.5-2026:component:01016":    "missing from the list",
		"GB/T 47678.5-2026:event:07005":        "missing from the list",
		"GB/T 30428.2-2013:component:0101":     "import the city's list (citygrid codes import); did you mean CJ/T 214-2007:component:0101",
		"citygrid-ext:component:water_meters":  "citygrid-ext:component:water_meter",
		"CJ/T 214-2007:component:99999999":     "have 4 digits",
		"nothing known here:event:99999999999": "no list of events of nothing known here",
	} {
		ref, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Lookup(ref)
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	if _, err := l.Lookup(Ref{}); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("the zero Ref: %v", err)
	}
}

func TestSearch(t *testing.T) {
	l := mustEmbedded(t)
	for text, want := range map[string][]string{
		"燃气井盖":               {"CJ/T 214-2007:component:0111", "GB/T 47678.5-2026:component:01011", "GB/T 47678.5-2026:event:01011"},
		"变压器(箱)":             {"CJ/T 214-2007:component:0134", "GB/T 47678.5-2026:component:01048", "GB/T 47678.5-2026:event:01048"},
		"0138":               {"CJ/T 214-2007:component:0138"},
		"BURST  main":        {"CJ/T 214-2007:event:0402"},
		"WATER_M":            {"citygrid-ext:component:water_meter"},
		"no such thing ever": nil,
	} {
		var got []string
		for _, c := range l.Search(text) {
			got = append(got, c.Ref.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCoversAndAbnormal(t *testing.T) {
	l := mustEmbedded(t)
	cover := Ref{CJT214, Component, "0101"}
	for group, want := range map[Ref]bool{
		cover: true, {CJT214, Component, "01"}: true, {CJT214, Component, "02"}: false,
		{CJT214, Event, "01"}: false, {GBT47678, Component, "01"}: false, {CJT214, Component, "010"}: false,
	} {
		if got := l.Covers(group, cover); got != want {
			t.Errorf("%s covers %s: %v", group, cover, got)
		}
	}
	if c, ok := l.Abnormal(Ref{GBT47678, Component, "01001"}); !ok || c.ZH != "供水井盖异常" {
		t.Errorf("%+v, %v", c, ok)
	}
	if c, ok := l.Abnormal(cover); ok {
		t.Errorf("%+v", c)
	}
}

// cityList is a small list of a city for tests.
func cityList(version, from string, classes ...Class) List {
	for i := range classes {
		classes[i].Major.Code = classes[i].Ref.Code[:2]
	}
	return List{
		Head:    Head{Standard: "Testing 2024", Kind: Component, Version: version, From: from, Source: "test", Sure: "test", CodeLength: 4, IDs: CJT214},
		Majors:  []Major{{"21", "扩展部件", "extension components"}},
		Classes: classes,
	}
}

func class(code, zh string) Class { return Class{Ref: Ref{Code: code}, ZH: zh, EN: "something"} }

func mustAdd(t *testing.T, l *Lists, list List) *Lists {
	t.Helper()
	out, err := l.Add(list)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAddVersions(t *testing.T) {
	base := mustEmbedded(t)
	meter := class("2101", "水表")
	meter.For = "water_meter"
	one := mustAdd(t, base, cityList("1", "2024", meter, class("2102", "泵站")))
	renamed := class("2101", "智能水表")
	renamed.Formerly, renamed.For = "水表", "water_meter"
	two := mustAdd(t, one, cityList("2", "2025-01-01", renamed, class("2103", "电梯")))

	if _, err := base.Lookup(Ref{"Testing 2024", Component, "2101"}); err == nil {
		t.Error("Add changed the set that it was called on")
	}
	if c, err := two.Lookup(Ref{"Testing 2024", Component, "2102"}); err != nil || !c.Withdrawn || c.Version != "1" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := two.ForExtension(Component, "water_meter"); err != nil || c.ZH != "智能水表" || c.Version != "2" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := base.ForExtension(Component, "water_meter"); err != nil || c.Ref.Standard != Extension {
		t.Errorf("%+v, %v", c, err)
	}
	if _, c, err := two.ParseComponent("Testing 2024", "3205082101000007"); err != nil || c.ZH != "智能水表" {
		t.Errorf("%+v, %v", c, err)
	}
	_, _, err := two.ParseComponent("Testing 2024", "3205082109000007")
	if err == nil || !strings.Contains(err.Error(), "characters 7 to 10 (class)") {
		t.Error(err)
	}
}

func TestAddRefuses(t *testing.T) {
	base := mustEmbedded(t)
	meter := class("2101", "水表")
	meter.For = "water_meter"
	l := mustAdd(t, base, cityList("1", "2024", meter, class("2102", "泵站")))
	other := cityList("1", "2024", meter)
	other.Standard = "Another"
	unknown := class("2103", "某物")
	unknown.For = "water_tower"
	wide := cityList("2", "2025", class("2103", "电梯"))
	wide.IDs, wide.CodeLength = "", 5
	wide.Classes[0].Ref.Code = "21003"
	own := cityList("2", "2027", class("2103", "电梯"))
	own.Standard, own.IDs = Extension, ""
	for name, c := range map[string]struct {
		list List
		want string
	}{
		"same version":     {cityList("1", "2025", class("2102", "泵站")), "version: 1 of Testing 2024"},
		"not later":        {cityList("2", "2024", class("2102", "泵站")), "begins later"},
		"code used again":  {cityList("2", "2025", class("2102", "电梯")), "never used again"},
		"extension twice":  {other, "has a code already, in Testing 2024"},
		"no such thing":    {cityList("2", "2025", unknown), "is no component class of citygrid-ext"},
		"other length":     {wide, "code_length: 5; version 1 has 4"},
		"the program's":    {own, "the program's own list"},
		"wrong by itself":  {cityList("2", "2025"), "classes: 0"},
		"unknown major":    {cityList("2", "2025", class("2203", "电梯")), "\"22\" is none of the list's major classes"},
		"ids need a width": {func() List { l := cityList("2", "2025", class("2103", "电梯")); l.IDs = GBT47678; return l }(), "hold classes of 5 digits"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := l.Add(c.list)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
			if p := (Problems{}); !errors.As(err, &p) || len(p) == 0 {
				t.Errorf("%T", err)
			}
		})
	}
}

func TestAllIsACopy(t *testing.T) {
	l := mustEmbedded(t)
	lists := l.All()
	lists[0].Classes[0].ZH = "changed"
	if reflect.DeepEqual(lists, l.All()) {
		t.Error("All hands out the set itself")
	}
}

func BenchmarkEmbedded(b *testing.B) {
	for b.Loop() {
		mustEmbedded(b)
	}
}

func BenchmarkLookup(b *testing.B) {
	l, ref := mustEmbedded(b), Ref{GBT47678, Component, "01053"}
	for b.Loop() {
		if _, err := l.Lookup(ref); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseComponent(b *testing.B) {
	for b.Loop() {
		if _, err := ParseComponent(CJT214, "3205080101000001"); err != nil {
			b.Fatal(err)
		}
	}
}
