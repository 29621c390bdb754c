package brokerconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/durable"
)

// accessVersion is the version of the access file; the first thing checked.
const accessVersion = 1

type accessFile struct {
	Version int        `yaml:"version"`
	Users   []userFile `yaml:"users"`
}

type userFile struct {
	Name         string   `yaml:"name"`
	PasswordHash string   `yaml:"password_hash,omitempty"`
	Publish      []string `yaml:"publish,omitempty"`
	Subscribe    []string `yaml:"subscribe,omitempty"`
}

// Load reads an access file. Unknown keys, malformed users and users listed
// twice are errors that name the file and the line.
func Load(path string) (*Access, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read access file: %w", err)
	}
	a, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("access file %s: %w", path, err)
	}
	return a, nil
}

// Parse reads the content of an access file.
func Parse(data []byte) (*Access, error) {
	var f accessFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("is empty: want version: 1 and users")
		}
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document: remove the --- and what follows")
	}
	if f.Version != accessVersion {
		return nil, fmt.Errorf("version %d: this program reads version %d", f.Version, accessVersion)
	}
	a := &Access{}
	for _, u := range f.Users {
		a.Users = append(a.Users, User(u))
	}
	if err := a.Validate(); err != nil {
		var at *userError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("line %d: %w", lineOfUser(data, at.index), err)
		}
		return nil, err
	}
	return a, nil
}

// lineOfUser returns the line on which the i-th user begins, 0 if it is not to
// be found. The strict decoder does not keep it.
func lineOfUser(data []byte, i int) int {
	var f struct {
		Users []yaml.Node `yaml:"users"`
	}
	if yaml.Unmarshal(data, &f) != nil || i >= len(f.Users) {
		return 0
	}
	return f.Users[i].Line
}

// Marshal returns the content of an access file that Parse reads as a.
func (a *Access) Marshal() ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	f := accessFile{Version: accessVersion, Users: []userFile{}}
	for _, u := range a.Users {
		f.Users = append(f.Users, userFile(u))
	}
	var b bytes.Buffer
	b.WriteString("# Who may connect to the broker, and what each may do (citygrid broker-config).\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Save writes a to path, durably and readable by its owner alone.
func (a *Access) Save(path string) error {
	data, err := a.Marshal()
	if err != nil {
		return fmt.Errorf("access file %s: %w", path, err)
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("access file: %w", err)
	}
	return nil
}
