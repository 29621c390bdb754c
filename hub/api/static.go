package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// contentPolicy lets the pages load only what this hub serves. There are no
// inline scripts or styles.
const contentPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// pageList is the build's list of what belongs to which page; nobody needs to see it.
const pageList = "pages.json"

// asset is one file of the pages, ready to be sent.
type asset struct {
	plain, gzip []byte // gzip is nil when it would save nothing
	etag        string
	mediaType   string
	cache       string
}

// pages serves the built pages from memory: NAME.html at /NAME, index.html at /.
type pages struct {
	assets map[string]asset // by URL path
}

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>citygrid</title>
<h1>The pages are not built</h1>
<p>This program was built without its pages. The hub works: see <a href="/api/v1/flow">/api/v1/flow</a> and <a href="/readyz">/readyz</a>.</p>
<p>To build the pages, run <code>make pages</code> and build the program again.</p>
<h1 lang="zh-CN">页面尚未构建</h1>
<p lang="zh-CN">程序构建时未包含页面，中心服务运行正常。请运行 <code>make pages</code>，然后重新构建程序。</p></html>
`

// newPages reads the files of dist, which holds index.html at its top when the
// pages are built. A nil dist stands for pages that are not built.
func newPages(dist fs.FS) (*pages, error) {
	p := &pages{assets: make(map[string]asset)}
	if dist != nil {
		if err := errors.Join(p.load(dist), p.addWorker(dist)); err != nil {
			return nil, fmt.Errorf("read the built pages: %w", err)
		}
	}
	index, ok := p.assets["/index"]
	if !ok {
		index = newAsset("index.html", []byte(notBuilt))
	}
	delete(p.assets, "/index")
	p.assets["/"] = index
	return p, nil
}

func (p *pages) load(dist fs.FS) error {
	return fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "placeholder.html" || name == pageList {
			return err
		}
		content, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		p.assets["/"+strings.TrimSuffix(name, ".html")] = newAsset(name, content)
		return nil
	})
}

func newAsset(name string, content []byte) asset {
	sum := sha256.Sum256(content)
	a := asset{
		plain: content, etag: `"` + hex.EncodeToString(sum[:12]) + `"`,
		mediaType: mime.TypeByExtension(path.Ext(name)), cache: "no-cache",
	}
	switch path.Ext(name) { // the system's table may say otherwise
	case ".js":
		a.mediaType = "text/javascript; charset=utf-8"
	case ".wasm":
		a.mediaType = "application/wasm"
	case ".webmanifest":
		a.mediaType = "application/manifest+json"
	}
	if strings.HasPrefix(name, "assets/") { // the name holds a hash of the content
		a.cache = "public, max-age=31536000, immutable"
	}
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is valid
	_, werr := z.Write(content)
	if cerr := z.Close(); werr == nil && cerr == nil && buf.Len() < len(content)*9/10 {
		a.gzip = buf.Bytes()
	}
	return a
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.URL.Path]
	switch {
	case !ok:
		problem(http.StatusNotFound, codeNotFound, "There is no page at this address. The start page is at /.").write(w)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		problem(http.StatusMethodNotAllowed, codeMethod, "Pages can only be read.").write(w)
		return
	}
	if r.URL.Path == phonePath {
		w.Header().Set("Content-Security-Policy", withDecoder(w.Header().Get("Content-Security-Policy")))
	}
	a.serve(w, r)
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("Cache-Control", a.cache)
	h.Set("Vary", "Accept-Encoding")
	body, etag := a.plain, a.etag
	if a.gzip != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body = a.gzip
		etag = strings.TrimSuffix(etag, `"`) + `-gz"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

// acceptsGzip reads Accept-Encoding well enough: named, and not with q=0.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		q = strings.ReplaceAll(q, " ", "")
		return q != "q=0" && !strings.HasPrefix(q, "q=0.000")
	}
	return false
}
