package catalog

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Problems collects everything that is wrong with one profile, so that its
// writer sees all of it at once. The zero value is for a field alone.
type Problems struct {
	// Name is that of the file or the profile; empty for a field alone.
	Name string
	// Lines says where the elements of the lists stand in the file, as Lines
	// gives them; nil where there is no file.
	Lines map[string][]int
	list  []error
}

// Add notes a problem of element i of a list of the file ("fields"), which the
// message names by what, or by its place where what is empty.
func (p *Problems) Add(list string, i int, what, format string, args ...any) {
	if what == "" {
		what = fmt.Sprintf("%s[%d]", list, i)
	}
	problem := fmt.Sprintf(format, args...)
	switch lines := p.Lines[list]; {
	case p.Name == "":
		p.list = append(p.list, fmt.Errorf("%s: %s", what, problem))
	case i < len(lines):
		p.list = append(p.list, fmt.Errorf("profile %s:%d: %s: %s", p.Name, lines[i], what, problem))
	default:
		p.list = append(p.list, fmt.Errorf("profile %s: %s: %s", p.Name, what, problem))
	}
}

// AddTop notes a problem of a key of the profile itself.
func (p *Problems) AddTop(key, format string, args ...any) {
	p.list = append(p.list, fmt.Errorf("profile %s: %s: %s", p.Name, key, fmt.Sprintf(format, args...)))
}

// Err returns all problems joined, or nil.
func (p *Problems) Err() error { return errors.Join(p.list...) }

// Lines returns, for each list in a YAML file, the lines of its elements; the
// strict decoder does not keep them. The name of a list is its path of keys
// joined by dots ("fields", "daily.fields"). A file that is no YAML has none.
func Lines(data []byte) map[string][]int {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 {
		return nil
	}
	lines := map[string][]int{}
	listLines(lines, "", doc.Content[0])
	return lines
}

func listLines(lines map[string][]int, path string, n *yaml.Node) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, element := range n.Content {
			lines[path] = append(lines[path], element.Line)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if path != "" {
				key = path + "." + key
			}
			listLines(lines, key, n.Content[i+1])
		}
	}
}
