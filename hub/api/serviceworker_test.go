package api

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func phoneBuild() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"index.html": file("city"), "inspect.html": file("phone"), "icon.svg": file("<svg/>"), "inspect.webmanifest": file("{}"),
		"icons/inspect-192.png": file("png"), "assets/inspect-1.js": file("js"), "assets/shared-1.js": file("shared"), "assets/inspect-1.css": file("css"),
		"assets/zxing-1.js": file("zxing"), "assets/reader-1.wasm": file("wasm"), "assets/city-1.js": file("city"),
		"sw.js": file(`const version = "VERSION"; const files = ["FILES"];`),
		"pages.json": file(`{
			"index.html": {"file": "assets/city-1.js", "imports": ["_shared.js"], "isEntry": true},
			"inspect.html": {"file": "assets/inspect-1.js", "imports": ["_shared.js"], "dynamicImports": ["src/inspect/zxing.ts"], "css": ["assets/inspect-1.css"], "isEntry": true},
			"_shared.js": {"file": "assets/shared-1.js"},
			"src/inspect/zxing.ts": {"file": "assets/zxing-1.js", "imports": ["inspect.html"], "assets": ["assets/reader-1.wasm"], "isDynamicEntry": true}}`),
	}
}

func workerOf(t *testing.T, build fstest.MapFS) (text, version string) {
	t.Helper()
	p, err := newPages(build)
	if err != nil {
		t.Fatal(err)
	}
	worker := string(p.assets["/sw.js"].plain)
	m := regexp.MustCompile(`^const version = "([0-9a-f]{16})"; const files = (\[.*\]);$`).FindStringSubmatch(worker)
	if m == nil {
		t.Fatalf("worker %q", worker)
	}
	return m[2], m[1]
}

// TestServiceWorker: its list is what the phone's page needs and nothing else, and its
// version changes with any of that and with nothing else.
func TestServiceWorker(t *testing.T) {
	list, version := workerOf(t, phoneBuild())
	const want = `["/assets/inspect-1.css","/assets/inspect-1.js","/assets/reader-1.wasm","/assets/shared-1.js","/assets/zxing-1.js","/icon.svg","/icons/inspect-192.png","/inspect","/inspect.webmanifest"]`
	if list != want {
		t.Errorf("list %s\nwant %s", list, want)
	}
	for name, same := range map[string]bool{"inspect.html": false, "assets/reader-1.wasm": false, "icons/inspect-192.png": false, "sw.js": false, "assets/city-1.js": true, "index.html": true} {
		build := phoneBuild()
		build[name].Data = append(build[name].Data, ' ')
		if name == "sw.js" {
			build[name].Data = []byte(strings.Replace(string(build[name].Data), "; const", ";\tconst", 1))
			p, err := newPages(build)
			if err != nil || strings.Contains(string(p.assets["/sw.js"].plain), version) {
				t.Errorf("another worker has the same version: %v", err)
			}
			continue
		}
		if _, v := workerOf(t, build); (v == version) != same {
			t.Errorf("after a change of %s the version is %s, before %s", name, v, version)
		}
	}
}

// TestServiceWorkerRefused: a build that would leave a phone without a part of its page
// is told at the start.
func TestServiceWorkerRefused(t *testing.T) {
	for what, spoil := range map[string]func(fstest.MapFS){
		"no list":       func(b fstest.MapFS) { delete(b, "pages.json") },
		"broken list":   func(b fstest.MapFS) { b["pages.json"].Data = []byte("{") },
		"no page":       func(b fstest.MapFS) { b["pages.json"].Data = []byte("{}") },
		"a file absent": func(b fstest.MapFS) { delete(b, "assets/reader-1.wasm") },
		"no marks":      func(b fstest.MapFS) { b["sw.js"].Data = []byte("const files = [];") },
	} {
		build := phoneBuild()
		spoil(build)
		if _, err := newPages(build); err == nil || !strings.Contains(err.Error(), "service worker") {
			t.Errorf("%s: %v", what, err)
		}
	}
	build := phoneBuild()
	delete(build, "sw.js")
	if _, err := newPages(build); err != nil {
		t.Errorf("pages without a worker: %v", err)
	}
}

// TestDecoderOnlyOnThePhone: WebAssembly may run on the inspector's page and on no other.
func TestDecoderOnlyOnThePhone(t *testing.T) {
	h := newHandler(t, func(o *Options) { o.Pages = phoneBuild() })
	for path, may := range map[string]bool{"/inspect": true, "/": false, "/sw.js": false} {
		w := ask(h, "GET", path)
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || strings.Contains(policy, "'wasm-unsafe-eval'") != may || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "'unsafe-eval'") {
			t.Errorf("%s: %d %q", path, w.Code, policy)
		}
	}
	for path, want := range map[string]string{"/assets/reader-1.wasm": "application/wasm", "/inspect.webmanifest": "application/manifest+json", "/sw.js": "text/javascript; charset=utf-8"} {
		if got := ask(h, "GET", path).Header().Get("Content-Type"); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
