// Package strictyaml reads the YAML files of operators: one document, and no
// key that the program does not know, so that a misspelt setting is an error
// and not a default.
package strictyaml

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// ErrEmpty says that a file holds no document: nothing, or comments only.
var ErrEmpty = errors.New("the file is empty")

// Decode reads the one document of data into the structure that into points
// to. Unknown keys, keys given twice, a second document and an empty file
// (ErrEmpty) are errors, with the line where there is one.
func Decode(data []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return ErrEmpty
		}
		return err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document in the file")
	}
	return nil
}
