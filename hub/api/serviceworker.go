package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The inspector's page works without network: its service worker, /sw.js, keeps what
// the page needs. The worker in the build is a template, into which the list of these
// files and their version come here.
const (
	workerPage = "inspect.html"
	workerFile = "sw.js"
	workerPath = "/sw.js"
	// phonePolicy lets the inspector's page run the decoder of codes, and no other page.
	phonePath   = "/inspect"
	phonePolicy = "script-src 'self' 'wasm-unsafe-eval'"
)

// Marks in the template: JavaScript that is valid as it stands.
const (
	versionMark = `"VERSION"`
	filesMark   = `["FILES"]`
)

// withDecoder is the policy of the inspector's page.
func withDecoder(policy string) string {
	return strings.Replace(policy, "script-src 'self'", phonePolicy, 1)
}

// buildEntry is an entry of the build's list of files (Vite's manifest).
type buildEntry struct {
	File           string   `json:"file"`
	Imports        []string `json:"imports"`
	DynamicImports []string `json:"dynamicImports"`
	CSS            []string `json:"css"`
	Assets         []string `json:"assets"`
}

// phoneFiles lists the addresses of all that a page needs, in the order of their names:
// what it loads at once and later, and what its manifest names.
func phoneFiles(manifest []byte, page string) ([]string, error) {
	var build map[string]buildEntry
	if err := json.Unmarshal(manifest, &build); err != nil {
		return nil, fmt.Errorf("list of the build: %w", err)
	}
	if _, ok := build[page]; !ok {
		return nil, fmt.Errorf("list of the build: %s is not in it", page)
	}
	seen, out := map[string]bool{}, []string{"/" + strings.TrimSuffix(page, ".html")}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		e := build[name]
		for _, f := range slices.Concat([]string{e.File}, e.CSS, e.Assets) {
			if f != "" {
				out = append(out, "/"+f)
			}
		}
		for _, next := range slices.Concat(e.Imports, e.DynamicImports) {
			visit(next)
		}
	}
	visit(page)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// addWorker puts the service worker among the pages, where the build has one.
func (p *pages) addWorker(dist fs.FS) error {
	template, err := fs.ReadFile(dist, workerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var manifest []byte
	if err == nil {
		manifest, err = fs.ReadFile(dist, pageList)
	}
	if err != nil {
		return fmt.Errorf("service worker: %w", err)
	}
	files, err := phoneFiles(manifest, workerPage)
	if err != nil {
		return fmt.Errorf("service worker: %w", err)
	}
	for path := range p.assets { // what the page's head and manifest name
		if path == "/icon.svg" || path == "/inspect.webmanifest" || strings.HasPrefix(path, "/icons/") {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	text, err := p.fillWorker(string(template), files)
	if err != nil {
		return fmt.Errorf("service worker: %w", err)
	}
	p.assets[workerPath] = newAsset(workerFile, []byte(text))
	return nil
}

// fillWorker puts the list in, and a version that changes with the content of any file
// of it and with the template.
func (p *pages) fillWorker(template string, files []string) (string, error) {
	sum := sha256.New()
	sum.Write([]byte(template))
	for _, f := range files {
		a, ok := p.assets[f]
		if !ok {
			return "", fmt.Errorf("the build has no %s; build the pages again", f)
		}
		fmt.Fprintf(sum, "\n%s %s", f, a.etag)
	}
	if !strings.Contains(template, versionMark) || !strings.Contains(template, filesMark) {
		return "", fmt.Errorf("%s lacks the marks %s and %s", workerFile, versionMark, filesMark)
	}
	list, err := json.Marshal(files)
	if err != nil {
		return "", fmt.Errorf("list of files: %w", err)
	}
	version := `"` + hex.EncodeToString(sum.Sum(nil)[:8]) + `"`
	return strings.NewReplacer(versionMark, version, filesMark, string(list)).Replace(template), nil
}
