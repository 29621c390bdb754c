package config

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"

	"citygrid/adapters/catalog"
	cjt188profiles "citygrid/adapters/cjt188/profiles"
	dlt645profiles "citygrid/adapters/dlt645/profiles"
	modbusprofiles "citygrid/adapters/modbus/profiles"
)

// Protocol is the language of a meter. Which one a meter speaks follows from
// its profile.
type Protocol string

// The protocols.
const (
	Modbus Protocol = "modbus"
	DLT645 Protocol = "dlt645"
	CJT188 Protocol = "cjt188"
)

// ProfileFile is a profile beside the built-in ones. In the file it is a path,
// for Modbus, or {protocol: dlt645, file: PATH}.
type ProfileFile struct {
	Protocol Protocol
	File     string
}

// MarshalYAML writes the shorter of the two forms.
func (p ProfileFile) MarshalYAML() (any, error) {
	if p.Protocol == Modbus {
		return p.File, nil
	}
	return map[string]string{"protocol": string(p.Protocol), "file": p.File}, nil
}

// UnmarshalYAML reads both forms, strictly.
func (p *ProfileFile) UnmarshalYAML(n *yaml.Node) error {
	*p = ProfileFile{Protocol: Modbus}
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&p.File)
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want the path of a profile, or {protocol: dlt645, file: PATH}", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var into any
		switch key := n.Content[i]; key.Value {
		case "protocol":
			into = &p.Protocol
		case "file":
			into = &p.File
		default:
			return fmt.Errorf("line %d: field %s not found in a profile: want protocol and file", key.Line, key.Value)
		}
		if err := n.Content[i+1].Decode(into); err != nil {
			return err
		}
	}
	return nil
}

// checkProfiles checks the entries; the files are read by BuildLines.
func (c *Config) checkProfiles() error {
	for i, p := range c.Profiles {
		if p.File == "" {
			return c.at(errors.New("want the path of a profile"), "profiles", i)
		}
		if !slices.Contains([]Protocol{Modbus, DLT645, CJT188}, p.Protocol) {
			return c.at(fmt.Errorf("unknown protocol %q, want modbus, dlt645 or cjt188", p.Protocol), "profiles", i)
		}
	}
	return nil
}

// profileSets has all profiles of all protocols. No id is in two of the sets.
type profileSets struct {
	modbus *modbusprofiles.Set
	dlt645 *dlt645profiles.Set
	cjt188 *cjt188profiles.Set
	// protocols says which set an id is in.
	protocols map[string]Protocol
}

// loadProfiles returns the built-in profiles and those that the file names.
func (c *Config) loadProfiles() (*profileSets, error) {
	k := &profileSets{protocols: make(map[string]Protocol)}
	var err error
	if k.modbus, err = modbusprofiles.Embedded(); err != nil {
		return nil, err
	}
	if k.dlt645, err = dlt645profiles.Embedded(); err != nil {
		return nil, err
	}
	if k.cjt188, err = cjt188profiles.Embedded(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		protocol Protocol
		ids      []string
	}{{Modbus, k.modbus.IDs()}, {DLT645, k.dlt645.IDs()}, {CJT188, k.cjt188.IDs()}} {
		for _, id := range s.ids {
			if err := k.take(id, s.protocol); err != nil {
				return nil, err
			}
		}
	}
	for i, p := range c.Profiles {
		data, err := os.ReadFile(c.Path(p.File))
		if err == nil {
			err = k.add(p, data)
		}
		if err != nil {
			return nil, c.at(err, "profiles", i)
		}
	}
	return k, nil
}

// take notes the protocol of an id.
func (k *profileSets) take(id string, p Protocol) error {
	if other, ok := k.protocols[id]; ok && other != p {
		return fmt.Errorf("profile %s: the name is taken by a profile of %s; rename the file", id, other)
	}
	k.protocols[id] = p
	return nil
}

// add adds a profile of the operator's.
func (k *profileSets) add(file ProfileFile, data []byte) (err error) {
	id := ""
	switch file.Protocol {
	case DLT645:
		id, k.dlt645, err = with(k.dlt645, dlt645profiles.Parse, file.File, data, func(p *dlt645profiles.Profile) string { return p.ID })
	case CJT188:
		id, k.cjt188, err = with(k.cjt188, cjt188profiles.Parse, file.File, data, func(p *cjt188profiles.Profile) string { return p.ID })
	default:
		id, k.modbus, err = with(k.modbus, modbusprofiles.Parse, file.File, data, func(p *modbusprofiles.Profile) string { return p.ID })
	}
	if err != nil {
		return err
	}
	return k.take(id, file.Protocol)
}

// with is a set with one more profile, and that profile's id.
func with[P any](set *catalog.Set[P], parse func(string, []byte) (*P, error), name string, data []byte, id func(*P) string) (string, *catalog.Set[P], error) {
	p, err := parse(name, data)
	if err != nil {
		return "", nil, err
	}
	set, err = set.With(p)
	return id(p), set, err
}

// protocol says what a profile speaks. For an unknown id the error lists those
// that are near.
func (k *profileSets) protocol(m Meter) (Protocol, error) {
	if p, ok := k.protocols[m.Profile]; ok {
		return p, nil
	}
	var err error
	switch {
	case m.Address == "":
		_, err = k.modbus.Get(m.Profile)
	case len(m.Address) == 14:
		_, err = k.cjt188.Get(m.Profile)
	default:
		_, err = k.dlt645.Get(m.Profile)
	}
	return "", err
}
