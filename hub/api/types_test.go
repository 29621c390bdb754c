package api

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestTypesMatchOpenAPI holds the page's types to the contract: they are made
// from it.
func TestTypesMatchOpenAPI(t *testing.T) {
	raw, err := os.ReadFile("../../schemas/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct{ Schemas map[string]schemaNode }
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("// Made from schemas/openapi.yaml by: go test ./hub/api -run TestTypes -update\n")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		fmt.Fprintf(&b, "\nexport interface %s {\n", name)
		s := doc.Components.Schemas[name]
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			mark := "?"
			if slices.Contains(s.Required, field) {
				mark = ""
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", field, mark, s.Properties[field].typescript(t, name+"."+field))
		}
		b.WriteString("}\n")
	}
	const file = "../../dashboards/web/src/shared/openapi.ts"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s differs from schemas/openapi.yaml (%v); run: go test ./hub/api -run TestTypes -update, then npm run check in dashboards/web", file, err)
	}
}

// schemaNode is as much of JSON Schema as the contract uses for its types.
type schemaNode struct {
	Ref                  string `yaml:"$ref"`
	Type                 any
	Enum                 []string
	Items                *schemaNode
	AnyOf                []schemaNode `yaml:"anyOf"`
	Properties           map[string]schemaNode
	Required             []string
	AdditionalProperties yaml.Node `yaml:"additionalProperties"`
}

// typescript returns the node as a type of TypeScript.
func (n schemaNode) typescript(t *testing.T, where string) string {
	t.Helper()
	if _, name, ok := strings.Cut(n.Ref, "#/components/schemas/"); ok {
		return name
	}
	if len(n.AnyOf) > 0 {
		either := make([]string, len(n.AnyOf))
		for i, one := range n.AnyOf {
			either[i] = one.typescript(t, where)
		}
		return strings.Join(either, " | ")
	}
	types, ok := n.Type.([]any)
	if !ok {
		types = []any{n.Type}
	}
	var union []string
	for _, one := range types {
		union = append(union, n.oneType(t, one, where))
	}
	return strings.Join(union, " | ")
}

func (n schemaNode) oneType(t *testing.T, name any, where string) string {
	t.Helper()
	switch {
	case name == "string" && len(n.Enum) > 0:
		return "'" + strings.Join(n.Enum, "' | '") + "'"
	case name == "integer" || name == "number":
		return "number"
	case name == "string" || name == "boolean" || name == "null":
		return fmt.Sprint(name)
	case name == "array" && n.Items != nil:
		return "Array<" + n.Items.typescript(t, where) + ">"
	case name == "object" && n.AdditionalProperties.Kind == yaml.MappingNode:
		var value schemaNode
		if err := n.AdditionalProperties.Decode(&value); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		return "Record<string, " + value.typescript(t, where) + ">"
	}
	t.Fatalf("%s: no TypeScript for the type %v", where, name)
	return ""
}
