package profiles

import (
	"embed"
	"io/fs"

	"citygrid/adapters/catalog"
)

//go:embed *.yaml
var embedded embed.FS

// Set is a group of profiles by id; see catalog.Set.
type Set = catalog.Set[Profile]

// Embedded returns the profiles that come with the program.
func Embedded() (*Set, error) { return Load(embedded) }

// Load reads every profile (*.yaml, but not *.vectors.yaml) in the root of
// fsys. It is strict: an unknown key, a value that cannot be, two profiles of
// one id are errors that name file, line and field. All errors are reported at
// once, joined, and then the Set is nil.
func Load(fsys fs.FS) (*Set, error) {
	return catalog.Load(fsys, Parse, func(p *Profile) string { return p.ID })
}
