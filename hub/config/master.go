package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Master says where the master keys come from: the path of the first sealed file
// alone, or a section with one of file, command, hex, pkcs11 and sdf.
type Master struct {
	// File is the first sealed file of `citygrid keys init`; the others lie beside it.
	File string `yaml:"file,omitempty"`
	// Command is a program and its arguments, such as the client of a key service: it
	// prints the master key in hexadecimal digits. {generation} and {tenant} in it are
	// replaced.
	Command []string `yaml:"command,omitempty"`
	// Timeout ends the program.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Hex says where the key is in hexadecimal digits, as a passphrase: fd:N,
	// file:PATH or env:NAME, with the same replacements.
	Hex string `yaml:"hex,omitempty"`
	// Tenant names whose keys Command and Hex give; a sealed file says it itself.
	Tenant string `yaml:"tenant,omitempty"`
	// PKCS11 and SDF are not included; the hub says so and what to do.
	PKCS11 map[string]any `yaml:"pkcs11,omitempty"`
	SDF    map[string]any `yaml:"sdf,omitempty"`
}

// masterKeys are those of the section.
var masterKeys = []string{"file", "command", "timeout", "hex", "tenant", "pkcs11", "sdf"}

// UnmarshalYAML takes a path alone, too, and refuses unknown keys.
func (m *Master) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&m.File)
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: master: want a path, or a section", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(masterKeys, key.Value) {
			return fmt.Errorf("line %d: field %s not found in master", key.Line, key.Value)
		}
	}
	type plain Master
	return n.Decode((*plain)(m))
}

// MarshalYAML writes a path alone where that says all.
func (m Master) MarshalYAML() (any, error) {
	if m.File != "" {
		return m.File, nil
	}
	type plain Master
	return plain(m), nil
}

func (m *Master) check(passphrase string) error {
	var kinds []string
	for kind, given := range map[string]bool{
		"file": m.File != "", "command": len(m.Command) > 0, "hex": m.Hex != "", "pkcs11": m.PKCS11 != nil, "sdf": m.SDF != nil,
	} {
		if given {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	switch {
	case len(kinds) == 0:
		return errors.New("master: missing: make the key file with citygrid keys init")
	case len(kinds) > 1:
		return fmt.Errorf("master: give one of file, command, hex, pkcs11 and sdf, not %s", strings.Join(kinds, " and "))
	case m.PKCS11 != nil || m.SDF != nil:
		return fmt.Errorf("master.%s: not included in this program, which is built without C libraries: let a program of the maker of the device unwrap the master key and print it, and name it as master.command", kinds[0])
	case m.File != "" && passphrase == "":
		return errors.New("passphrase: missing: say where it is: fd:N, file:PATH or env:NAME")
	case m.File == "" && passphrase != "":
		return errors.New("passphrase: it opens a sealed file, and master names none: leave it out")
	case m.File == "" && m.Tenant == "":
		return errors.New("master.tenant: missing: whose master key it is; part of every key")
	case m.File != "" && m.Tenant != "":
		return errors.New("master.tenant: the sealed file says it: leave it out")
	case m.Timeout < 0 || m.Timeout > 0 && len(m.Command) == 0:
		return errors.New("master.timeout: want a time such as 10s, with command")
	}
	return nil
}
