// Package dashboards holds what people look at: the pages of the hub, built
// into the program, and the Grafana boards for the same data (grafana/).
package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
)

// dist is the output of "npm run build" in web/. In a fresh checkout it holds
// only placeholder.html, so that the program builds without Node.
//
//go:embed all:web/dist
var dist embed.FS

// Pages returns the built pages, index.html at the top. Without index.html the
// pages are not built, and the hub says so.
func Pages() (fs.FS, error) {
	pages, err := fs.Sub(dist, "web/dist")
	if err != nil {
		return nil, fmt.Errorf("open the embedded pages: %w", err)
	}
	return pages, nil
}
