package dashboards

import (
	"io/fs"
	"testing"
)

// The committed page keeps the program building without Node; a build of the
// pages must leave it where it is.
func TestPagesAlwaysEmbed(t *testing.T) {
	pages, err := Pages()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(pages, "placeholder.html"); err != nil {
		t.Error(err)
	}
}
