package strictyaml

import (
	"errors"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	type list struct {
		Name  string   `yaml:"name"`
		Items []string `yaml:"items"`
	}
	tests := map[string]struct{ text, want string }{
		"good":                  {"name: a\nitems: [b, c]\n", ""},
		"marked as a document":  {"---\nname: a\n...\n", ""},
		"empty":                 {"", "the file is empty"},
		"comments":              {"# name: a\n\n", "the file is empty"},
		"unknown key":           {"name: a\nitem: [b]\n", "line 2: field item not found"},
		"key twice":             {"name: a\nname: b\n", "line 2"},
		"wrong type":            {"name: a\nitems: 3\n", "line 2"},
		"second document":       {"name: a\n---\nname: b\n", "more than one YAML document"},
		"empty second document": {"name: a\n---\n", "more than one YAML document"},
		"broken second":         {"name: a\n---\n{", "more than one YAML document"},
		"not YAML":              {"name: [", "yaml"},
	}
	for name, tt := range tests {
		var l list
		err := Decode([]byte(tt.text), &l)
		switch {
		case tt.want == "" && (err != nil || l.Name != "a"):
			t.Errorf("%s: %+v, %v", name, l, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
	if err := Decode(nil, new(list)); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty file: %v, want ErrEmpty", err)
	}
}
