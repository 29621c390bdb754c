package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// What Grafana's dashboard schema knows of a board, as far as the boards use it. A key
// that is not here is a slip of the pen, which Grafana would pass over in silence
// [Grafana, kinds/dashboard/dashboard_kind.cue, schemaVersion 41].
type schemaBoard struct {
	ID                   *int   `json:"id"`
	UID                  string `json:"uid"`
	Title, Description   string
	Tags                 []string
	SchemaVersion        int
	Version              int
	Editable             bool
	Timezone, Refresh    string
	Time                 struct{ From, To string }
	GraphTooltip         int
	FiscalYearStartMonth int
	Links                []schemaLink
	Annotations          struct{ List []struct{} }
	Templating           struct{ List []schemaVariable }
	Panels               []schemaPanel
}

type schemaLink struct {
	Type, Title, URL, Icon, Tooltip                string
	Tags                                           []string
	AsDropdown, IncludeVars, KeepTime, TargetBlank bool
}

type schemaVariable struct {
	Type, Name, Label, Query, Definition, Regex, AllValue string
	Datasource                                            *datasource
	Refresh, Sort, Hide                                   int
	Multi, IncludeAll                                     bool
	Current                                               struct{ Text, Value string }
	Options                                               []struct {
		Text, Value string
		Selected    bool
	}
}

type schemaPanel struct {
	ID                                           int
	Type, Title, Description, TimeFrom, Interval string
	Datasource                                   datasource
	GridPos                                      struct{ X, Y, W, H int }
	FieldConfig                                  struct {
		Defaults  schemaDefaults
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
	Options map[string]any
	Targets []struct {
		RefID                      string `json:"refId"`
		Datasource                 datasource
		RawQuery                   bool
		ResultFormat, Query, Alias string
	}
}

type schemaDefaults struct {
	Unit, NoValue string
	Decimals      *int
	Min, Max      *float64
	Thresholds    *struct {
		Mode  string
		Steps []struct {
			Color string
			Value *float64
		}
	}
	Color  *struct{ Mode string }
	Custom *struct {
		DrawStyle, ShowPoints  string
		LineWidth, FillOpacity int
		SpanNulls              bool
		Stacking               *struct{ Mode, Group string }
		ThresholdsStyle        *struct{ Mode string }
	}
	Links []struct {
		Title, URL  string
		TargetBlank bool
	}
}

// unitPattern are the units that the boards use: ids of Grafana, and its forms for others.
var unitPattern = regexp.MustCompile(`^(short|none|percentunit|ms|s|bytes|watt|kwatth|m3|(suffix|prefix):.+)$`)

// options are the options of each type of panel.
var options = map[string][]string{
	"stat":       {"reduceOptions", "colorMode", "graphMode", "textMode"},
	"timeseries": {"legend", "tooltip"},
	"table":      {"showHeader", "cellHeight"},
	"bargauge":   {"reduceOptions", "displayMode", "orientation", "showUnfilled"},
}

func TestSchema(t *testing.T) {
	for name := range boards(t) {
		t.Run(name, func(t *testing.T) {
			text, err := Files.ReadFile("boards/" + name)
			if err != nil {
				t.Fatal(err)
			}
			var b schemaBoard
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&b); err != nil {
				t.Fatal(err)
			}
			if b.SchemaVersion != 41 || b.Time.To != "now" || !strings.HasPrefix(b.Time.From, "now-") || b.Editable {
				t.Errorf("schemaVersion %d, time %+v, editable %v", b.SchemaVersion, b.Time, b.Editable)
			}
			if n := len(b.Templating.List); n > 5 {
				t.Errorf("%d variables, want 5 at most", n)
			}
			for _, v := range b.Templating.List {
				schemaOfVariable(t, &v)
			}
			for n := range b.Panels {
				schemaOfPanel(t, &b.Panels[n])
			}
		})
	}
}

func schemaOfVariable(t *testing.T, v *schemaVariable) {
	t.Helper()
	if !slices.Contains([]string{"datasource", "query", "custom", "textbox"}, v.Type) || v.Query == "" {
		t.Errorf("variable %s: type %q, query %q", v.Name, v.Type, v.Query)
	}
	if v.IncludeAll != (v.AllValue != "") || v.IncludeAll && v.Current.Value != "$__all" {
		t.Errorf("variable %s: all %v as %q, now %q", v.Name, v.IncludeAll, v.AllValue, v.Current.Value)
	}
	if v.Type == "query" && v.Definition != v.Query {
		t.Errorf("variable %s: the definition is not the query", v.Name)
	}
}

func schemaOfPanel(t *testing.T, p *schemaPanel) {
	t.Helper()
	what := fmt.Sprintf("panel %d %q", p.ID, p.Title)
	known, ok := options[p.Type]
	for name := range p.Options {
		ok = ok && slices.Contains(known, name)
	}
	if !ok || len(p.Options) != len(known) {
		t.Errorf("%s: options %v of type %q, want %v", what, p.Options, p.Type, known)
	}
	d := &p.FieldConfig.Defaults
	if !unitPattern.MatchString(d.Unit) || d.NoValue == "" {
		t.Errorf("%s: unit %q, without data %q", what, d.Unit, d.NoValue)
	}
	if !bilingual(p.Title) {
		t.Errorf("%s: want the title in English and Chinese", what)
	}
	if th := d.Thresholds; th != nil {
		rising := th.Mode == "absolute" && len(th.Steps) > 1 && th.Steps[0].Value == nil
		for n := 2; n < len(th.Steps); n++ {
			rising = rising && *th.Steps[n-1].Value < *th.Steps[n].Value
		}
		if !rising {
			t.Errorf("%s: thresholds %+v", what, th)
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID != "byName" && o.Matcher.ID != "byRegexp" || o.Matcher.Options == "" || len(o.Properties) == 0 {
			t.Errorf("%s: override %+v", what, o)
		}
		if _, err := regexp.Compile(o.Matcher.Options); o.Matcher.ID == "byRegexp" && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, q := range p.Targets {
		if table := p.Type == "table"; table != (q.ResultFormat == "table") || !table && q.ResultFormat != "time_series" {
			t.Errorf("%s: answers as %q", what, q.ResultFormat)
		}
	}
}

// bilingual reports that a title has words of both languages, apart by a slash.
func bilingual(title string) bool {
	english, chinese, two := strings.Cut(title, " / ")
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	return two && english != "" && !strings.ContainsFunc(english, han) && strings.ContainsFunc(chinese, han)
}

// linkPattern finds the boards that a board links to.
var linkPattern = regexp.MustCompile(`"/d/([^"?]+)\?([^"]*)"`)

// TestBoardsLink: each board lists all others, and no link leads nowhere.
func TestBoardsLink(t *testing.T) {
	all := boards(t)
	byUID := make(map[string]board)
	for _, b := range all {
		byUID[b.UID] = b
	}
	for name, b := range all {
		text, err := Files.ReadFile("boards/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var links struct{ Links []schemaLink }
		if err := json.Unmarshal(text, &links); err != nil {
			t.Fatal(err)
		}
		row := slices.ContainsFunc(links.Links, func(l schemaLink) bool {
			return l.Type == "dashboards" && slices.Equal(l.Tags, []string{"citygrid"}) && l.KeepTime
		})
		if !row || !slices.Contains(b.Tags, "citygrid") {
			t.Errorf("%s is not in the row of boards, or does not show it", name)
		}
		for _, m := range linkPattern.FindAllStringSubmatch(string(text), -1) {
			checkLink(t, name, byUID, m[1], m[2])
		}
	}
}

// checkLink checks that the board is there and has the variables that the link sets.
func checkLink(t *testing.T, from string, byUID map[string]board, uid, query string) {
	t.Helper()
	to, ok := byUID[uid]
	if !ok {
		t.Errorf("%s links to the unknown board %q", from, uid)
	}
	for _, m := range regexp.MustCompile(`var-(\w+)=`).FindAllStringSubmatch(query, -1) {
		if !slices.ContainsFunc(to.Templating.List, func(v variable) bool { return v.Name == m[1] }) {
			t.Errorf("%s sets %s of board %s, which has no such variable", from, m[1], uid)
		}
	}
}
