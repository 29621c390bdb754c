package config

import (
	"strings"
	"testing"
	"time"
)

const goodGrid = good + `grid:
  dsn: sqlite:grid.db
  limits: limits.yaml
  events: {hold: {meter_offline: 5m}, near_m: 50}
  media: {dir: media}
  open311:
    classes: ["CJ/T 214-2007:component:01"]
    keys: [{name: app, token: "sha256:` + digits + `"}]
  webhooks: [{name: hotline, url: "https://h.example/", secret: "file:hook"}]
  people:
  - {id: wang, roles: [inspector], token: "sha256:` + digits + `"}
`

func TestGrid(t *testing.T) {
	c, err := Parse([]byte(goodGrid), "")
	if err != nil {
		t.Fatal(err)
	}
	if zone, err := c.Grid.Location(); err != nil || zone.String() != DefaultZone || c.Grid.Events.Hold["meter_offline"] != 5*time.Minute {
		t.Errorf("zone %v, %v, events %+v", zone, err, c.Grid.Events)
	}
}

func TestGridErrors(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "limits:", "limit:", "field limit not found"},
		{"people without dsn", "  dsn: sqlite:grid.db\n", "", "grid.dsn: missing"},
		{"another database", "sqlite:grid.db", "mysql://h/d", "grid: dsn: want sqlite:PATH or postgres"},
		{"password in the address", "sqlite:grid.db", "postgres://u:hunter2@h/d", "belongs where grid.password says"},
		{"zone", "limits:", "zone: Mars\n  limits:", "zone \"Mars\""},
		{"folder and bucket", "{dir: media}", "{dir: media, s3: {url: http://h, bucket: b, access: a, secret: env:S}}", "media: give either"},
		{"keys in the address", "{dir: media}", "{s3: {url: \"http://me:hunter2@h\", bucket: b, access: a, secret: env:S}}", "media.s3.url: want"},
		{"no bucket", "{dir: media}", "{s3: {url: http://h, access: a, secret: env:S}}", "media.s3: want bucket"},
		{"bounds", "{dir: media}", "{dir: media, max_image_mib: 9999}", "media: want bounds"},
		{"no classes", "[\"CJ/T 214-2007:component:01\"]", "[]", "open311.classes: missing"},
		{"address of the hub", "    classes: [", "    url: \"hub.example/open311/v2\"\n    classes: [", "open311.url: want"},
		{"a key in clear", "{name: app, token: \"sha256:" + digits + "\"}", "{name: app, token: hunter2}", "open311.keys[0]: want"},
		{"webhook", "secret: \"file:hook\"", "types: [case.close]", "webhooks[0]: want"},
		{"the hub's id", "id: wang", "id: citygrid", "not citygrid"},
		{"id", "id: wang", "id: wang li", "id \"wang li\": want"},
		{"no role", "[inspector]", "[]", "wang has no role"},
		{"role", "[inspector]", "[sensor]", "role \"sensor\""},
		{"department without one", "[inspector]", "[department]", "go together"},
		{"department of an inspector", "[inspector]", "[inspector], department: d1", "go together"},
		{"token", "roles: [inspector], token: \"sha256:", "roles: [inspector], token: \"sha1:", "wang: token: want"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(goodGrid, tt.old, tt.new, 1)
			if text == goodGrid {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(text), "")
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	twice := goodGrid + "  - {id: WANG, roles: [acceptor], token: \"sha256:" + strings.Repeat("0", 64) + "\"}\n"
	if _, err := Parse([]byte(twice), ""); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("%v, want a word about the same id", err)
	}
}
