package grafana

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type board struct {
	ID            any      `json:"id"`
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Timezone      string   `json:"timezone"`
	Inputs        any      `json:"__inputs"`
	Templating    struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type variable struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Label      string     `json:"label"`
	Query      string     `json:"query"`
	Multi      bool       `json:"multi"`
	AllValue   string     `json:"allValue"`
	Datasource datasource `json:"datasource"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit string `json:"unit"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []target `json:"targets"`
}

type target struct {
	RefID      string     `json:"refId"`
	Datasource datasource `json:"datasource"`
	RawQuery   bool       `json:"rawQuery"`
	Query      string     `json:"query"`
}

// boards reads every board of the folder.
func boards(t *testing.T) map[string]board {
	t.Helper()
	names, err := fs.Glob(Files, "boards/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no boards: %v", err)
	}
	all := make(map[string]board)
	for _, name := range names {
		text, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var b board
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[path.Base(name)] = b
	}
	return all
}

var uidPattern = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

func TestBoards(t *testing.T) {
	uids := make(map[string]string)
	for name, b := range boards(t) {
		t.Run(name, func(t *testing.T) {
			if other, twice := uids[b.UID]; twice || !uidPattern.MatchString(b.UID) {
				t.Errorf("uid %q is bad or also that of %q", b.UID, other)
			}
			uids[b.UID] = name
			if b.ID != nil || b.Inputs != nil {
				t.Error("a provisioned board has no id and no __inputs")
			}
			if b.Title == "" || b.Description == "" || len(b.Tags) == 0 || b.SchemaVersion < 36 || b.Timezone != "Asia/Shanghai" {
				t.Errorf("title %q, description %q, tags %v, schemaVersion %d, timezone %q", b.Title, b.Description, b.Tags, b.SchemaVersion, b.Timezone)
			}
			checkVariables(t, &b)
			checkPanels(t, &b)
			checkOverlap(t, b.Panels)
		})
	}
}

func checkVariables(t *testing.T, b *board) {
	t.Helper()
	if len(b.Templating.List) == 0 || b.Templating.List[0].Type != "datasource" || b.Templating.List[0].Name != "datasource" {
		t.Error("the first variable is not the datasource")
	}
	known := map[string]bool{"__interval": true, "timeFilter": true}
	for _, v := range b.Templating.List {
		if known[v.Name] || v.Label == "" {
			t.Errorf("variable %q: twice, or without a label", v.Name)
		}
		known[v.Name] = true
		if v.Type == "query" {
			checkDatasource(t, "variable "+v.Name, v.Datasource)
		}
	}
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			for _, name := range usedVariables(q.Query) {
				if !known[name] {
					t.Errorf("panel %q uses the unknown variable %q", p.Title, name)
				}
			}
		}
	}
}

var variablePattern = regexp.MustCompile(`\$(?:\{(\w+)(?::\w+)?\}|(\w+))`)

func usedVariables(s string) (names []string) {
	for _, m := range variablePattern.FindAllStringSubmatch(s, -1) {
		names = append(names, m[1]+m[2])
	}
	return names
}

func checkDatasource(t *testing.T, what string, d datasource) {
	t.Helper()
	if d.Type != "influxdb" || d.UID != "${datasource}" {
		t.Errorf("%s: datasource %+v is not the variable", what, d)
	}
}

func checkPanels(t *testing.T, b *board) {
	t.Helper()
	ids := make(map[int]bool)
	for _, p := range b.Panels {
		what := fmt.Sprintf("panel %d %q", p.ID, p.Title)
		if ids[p.ID] || p.ID <= 0 {
			t.Errorf("%s: the id is not unique", what)
		}
		ids[p.ID] = true
		if p.Type == "" || p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s lacks a type, title, description, unit or query", what)
		}
		checkDatasource(t, what, p.Datasource)
		refs := make(map[string]bool)
		for _, q := range p.Targets {
			checkDatasource(t, what, q.Datasource)
			if refs[q.RefID] || q.RefID == "" || !q.RawQuery {
				t.Errorf("%s: target %q is double or no raw query", what, q.RefID)
			}
			refs[q.RefID] = true
			if !strings.Contains(q.Query, "$timeFilter") {
				t.Errorf("%s: a query without a time range", what)
			}
		}
	}
}

// checkOverlap checks that panels lie within the 24 columns and on no other.
func checkOverlap(t *testing.T, panels []panel) {
	t.Helper()
	for i, a := range panels {
		g := a.GridPos
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("panel %q lies outside the grid: %+v", a.Title, g)
		}
		for _, b := range panels[:i] {
			o := b.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("panels %q and %q overlap", a.Title, b.Title)
			}
		}
	}
}

func TestProvisioning(t *testing.T) {
	for name, list := range map[string]string{
		"provisioning/datasources/citygrid.yaml": "datasources",
		"provisioning/dashboards/citygrid.yaml":  "providers",
	} {
		text, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file map[string]any
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if entries, ok := file[list].([]any); file["apiVersion"] != 1 || !ok || len(entries) != 1 {
			t.Errorf("%s: apiVersion %v, %s %v", name, file["apiVersion"], list, file[list])
		}
	}
}
