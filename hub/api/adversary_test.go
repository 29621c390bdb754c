package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citygrid/hub/accounts"
)

// attempts counts what an attacker tries at the API. Its log is a row of the table that
// `make adversary` prints.
type attempts struct{ tries, accepted, counted int }

// told judges an answer: a refusal is one of the given status.
func (a *attempts) told(t *testing.T, what string, status int, refused ...int) {
	t.Helper()
	a.tries++
	for _, want := range refused {
		if status == want {
			a.counted++
			return
		}
	}
	t.Errorf("%s: %d, want one of %v", what, status, refused)
	if status < 400 {
		a.accepted++
	}
}

func (a *attempts) row(t *testing.T, name string) {
	t.Logf("adversary|%s|%d|%d|%d", name, a.tries, a.accepted, a.counted)
}

// endless is a body without an end, and counts what is read of it.
type endless struct {
	most, read int64
	text       string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.most {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	e.read += int64(n)
	return n, nil
}

// writes are the operations with a body, on a hub with every part.
func writes(t *testing.T, b *browser) (targets [][2]string) {
	t.Helper()
	for _, op := range operations(t, b) {
		method, path, _ := strings.Cut(op, " ")
		if method != http.MethodGet && method != http.MethodDelete {
			targets = append(targets, [2]string{method, target(path)})
		}
	}
	if len(targets) < 20 {
		t.Fatalf("%d operations that write: this test must learn where they are", len(targets))
	}
	return targets
}

// TestAdversaryBodies sends bodies that are too large, too deep or double to every
// operation that takes one, as the administrator.
func TestAdversaryBodies(t *testing.T) {
	h := openHub(t, nil)
	b := h.browser().signIn(t, "root", rootPassword)
	before, err := h.book.CheckAudit(t.Context(), accounts.Head{})
	noError(t, err)
	targets := writes(t, b)
	var large attempts
	var heap, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	for _, op := range targets {
		body := &endless{most: 100 << 20, text: `{"a":"` + strings.Repeat("a", 4096)}
		w := b.stream(op[0], op[1], body)
		if body.read > 80<<20 {
			t.Errorf("%s %s read %d bytes", op[0], op[1], body.read)
		}
		large.told(t, fmt.Sprintf("%s %s with 100 MiB (%d read)", op[0], op[1], body.read), w.Code, 400, 401, 403, 404, 409, 413, 415, 422)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > heap.HeapAlloc+(64<<20) {
		t.Errorf("the heap grew from %d to %d bytes", heap.HeapAlloc, after.HeapAlloc)
	}
	large.row(t, "API: a body of 100 MiB at every operation that takes one")
	for name, body := range map[string]string{
		"100,000 arrays in one another":  strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"100,000 objects in one another": strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"not ended, broken, no JSON":     `{"roles":["admin"`,
	} {
		var a attempts
		for _, op := range targets {
			a.told(t, op[0]+" "+op[1]+" with "+name, b.do(op[0], op[1], body).Code, 400, 401, 403, 404, 409, 413, 415, 422)
		}
		a.row(t, "API: "+name)
	}
	now, err := h.book.CheckAudit(t.Context(), accounts.Head{})
	noError(t, err)
	if now.Seq > before.Seq+int64(len(targets)*8) {
		t.Errorf("the audit log grew from %d to %d", before.Seq, now.Seq)
	}
}

func (b *browser) stream(method, path string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, b.home+path, body)
	r.RemoteAddr = b.from
	r.Header.Set("Content-Type", "application/json")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

// TestAdversaryDoubleKeys: a body that says one thing twice must not be read in one way
// by what checks it and in another by what does it. Go's decoder takes the last, for
// all readers alike: nobody gets a role by the first.
func TestAdversaryDoubleKeys(t *testing.T) {
	h := openHub(t, nil)
	root := h.browser().signIn(t, "root", rootPassword)
	h.person(t, "li", accounts.Clerk)
	li := h.browser().signIn(t, "li", otherPassword)
	var a attempts
	ends := h.now().AddDate(0, 0, 1).Format("2006-01-02T15:04:05Z07:00")
	for _, roles := range []string{`"roles":["clerk"],"roles":["admin"]`, `"roles":["admin"],"Roles":["clerk"],"roles":["admin"]`, `"ROLES":["admin"]`, `"roles":["clerk"],"ROLES":["admin"]`, "\"role\u017f\":[\"admin\"]"} {
		w := li.do("POST", "/api/v1/accounts/tokens", `{"name":"x","ends_at":"`+ends+`",`+roles+`}`)
		a.told(t, roles, w.Code, 400, 403, 422)
	}
	for _, body := range []string{`{"name":"li","password":"no","password":"` + otherPassword + `x"}`, `{"name":"root","name":"li","password":"` + rootPassword + `"}`} {
		a.told(t, body, h.browser().do("POST", "/api/v1/session", body).Code, 400, 401, 422)
	}
	root.want(t, "GET", "/api/v1/accounts/people", "", 200, "")
	a.row(t, "API: double and almost equal keys in a body")
}

// TestAdversaryRoles asks for everything with no session, a made-up one, a token of
// nobody, and the session of a viewer, who may write nothing.
func TestAdversaryRoles(t *testing.T) {
	h := openHub(t, nil)
	h.person(t, "wall", accounts.Viewer)
	root := h.browser().signIn(t, "root", rootPassword)
	forged := h.browser()
	forged.cookies[sessionName(root)] = &http.Cookie{Name: sessionName(root), Value: strings.Repeat("A", 43)}
	wall := h.browser().signIn(t, "wall", otherPassword)
	var nobody, viewer attempts
	for _, op := range operations(t, root) {
		method, path, _ := strings.Cut(op, " ")
		if who, _ := audienceIn(audiences(), op); who == anybody {
			continue
		}
		for _, b := range []*browser{h.browser(), forged, h.program("nonsense"), h.program(root.cookies[sessionName(root)].Value)} {
			nobody.told(t, op, b.do(method, target(path), "").Code, 401, 403)
		}
		if method != http.MethodGet && !strings.HasPrefix(path, "/api/v1/accounts/") {
			viewer.told(t, op+" as viewer", wall.do(method, target(path), "{}").Code, 401, 403)
		}
	}
	nobody.row(t, "API: every guarded operation with no session, a made-up one, a made-up token")
	viewer.row(t, "API: every operation that writes, as somebody who may only look")
}

// TestAdversarySignIn guesses passwords, and tries to have a victim use a session that
// the attacker knows.
func TestAdversarySignIn(t *testing.T) {
	h := openHub(t, nil)
	b := h.browser()
	var guesses, fixed attempts
	paused := 0
	for n := range 1000 {
		w := b.do("POST", "/api/v1/session", fmt.Sprintf(`{"name":"root","password":"guess number %d"}`, n))
		guesses.told(t, "a guess", w.Code, 401, 429)
		if w.Code == 429 {
			paused++
		}
	}
	if paused != 990 {
		t.Errorf("%d of 1000 guesses were not even tried, want 990", paused)
	}
	guesses.row(t, "API: 1,000 guesses of a password (10 are tried, 990 wait)")
	h.pass(24 * time.Hour)
	for _, planted := range []string{strings.Repeat("A", 43), "x", "", strings.Repeat("\x41", 4096)} {
		v := h.browser()
		v.cookies["citygrid_session_8080"] = &http.Cookie{Name: "citygrid_session_8080", Value: planted}
		v.signIn(t, "root", rootPassword)
		thief := h.browser()
		thief.cookies["citygrid_session_8080"] = &http.Cookie{Name: "citygrid_session_8080", Value: planted}
		fixed.told(t, "a planted session", thief.do("GET", "/api/v1/accounts/people", "").Code, 401)
		if v.cookies[sessionName(v)].Value == planted {
			t.Errorf("signing in keeps the session %q", planted)
		}
	}
	fixed.row(t, "API: a session planted before the victim signs in")
}

// TestAdversaryOtherSites posts from pages of other sites with the victim's cookie.
func TestAdversaryOtherSites(t *testing.T) {
	h := openHub(t, func(o *Options) { o.Accounts.PublicURL = "https://city.example" })
	b := h.browser().signIn(t, "root", rootPassword)
	var a attempts
	for _, op := range writes(t, b) {
		for _, header := range []map[string]string{
			{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
			{"Origin": "http://127.0.0.1:8080.evil.example"}, {"Origin": "http://127.0.0.1:9999"}, {"Origin": "https://city.example.evil.example", "Content-Type": "text/plain"},
		} {
			b.header = header
			a.told(t, fmt.Sprintf("%v %v", op, header), b.do(op[0], op[1], "{}").Code, 403)
		}
	}
	a.row(t, "API: every operation that writes, from a page of another site")
}

// TestAdversaryPaths looks for files that are not to be had.
func TestAdversaryPaths(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	h := openHub(t, func(o *Options) {
		o.Pages = fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}, "assets/x.js": {Data: []byte("x")}, "pages.json": {Data: []byte("secret")}}
	})
	root := h.browser().signIn(t, "root", rootPassword)
	var a attempts
	for _, up := range []string{"../", "..%2f", "%2e%2e/", "..\\", "..%5c", "....//", "..;/", "%c0%ae%c0%ae/", "..%00/", "./../", "%252e%252e/"} {
		for _, base := range []string{"/", "/assets/", "/api/v1/media/", "/api/v1/exports/", "/api/v1/ledger/runs/", "/static/"} {
			for _, file := range []string{"etc/passwd", "pages.json", outside} {
				a.told(t, base+up+file, root.raw(base+strings.Repeat(up, 6)+file).Code, 301, 307, 308, 400, 401, 403, 404, 405, 422)
			}
		}
	}
	for _, sm3 := range []string{"..", "%2e%2e%2f%2e%2e", strings.Repeat("A", 64), strings.Repeat("g", 64), strings.Repeat("0", 63), strings.Repeat("0", 64) + "%00", strings.Repeat("0", 64) + "/..", "*", ".tmp"} {
		a.told(t, "media "+sm3, root.raw("/api/v1/media/"+sm3).Code, 301, 307, 308, 400, 403, 404, 405, 422)
	}
	a.row(t, "API: path traversal at pages, media, exports and statements")
}

// raw asks for an address as it is written.
func (b *browser) raw(path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", b.home+"/", nil)
	r.URL.Opaque = ""
	r.RequestURI = path
	if u, err := url.ParseRequestURI(path); err == nil {
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	} else {
		r.URL.Path = path
	}
	r.RemoteAddr = b.from
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

// TestAdversaryHeaders puts ends of lines and quotes where a header's text comes from.
func TestAdversaryHeaders(t *testing.T) {
	h := openHub(t, nil)
	h.person(t, "clerk", accounts.Clerk)
	h.person(t, "acc", accounts.Acceptor)
	var a attempts
	for _, who := range []string{"clerk", "acc"} {
		b := h.browser().signIn(t, who, otherPassword)
		for _, evil := range []string{"x%0d%0aSet-Cookie:%20a=b", "x%0aX-Evil:1", `x%22;%20filename=%22evil.exe`, "x%00", "%e2%80%ae", "x%0d%0a%0d%0a%3Cscript%3E"} {
			for _, path := range []string{
				"/api/v1/exports/cases?format=" + evil, "/api/v1/exports/cases?class=" + evil, "/api/v1/exports/indicators?from=" + evil, "/api/v1/ledger/runs/1/statement?format=" + evil,
				"/api/v1/ledger/runs/1/statement?lang=" + evil, "/api/v1/ledger/differences.csv?utility=" + evil, "/api/v1/ledger/clearing/files/1?name=" + evil, "/api/v1/media/" + evil, "/" + evil,
			} {
				w, clean := b.raw(path), true
				for name, values := range w.Header() {
					for _, v := range values {
						if strings.ContainsAny(name+v, "\r\n\x00") || name == "X-Evil" || strings.Contains(v, "evil.exe") {
							clean = false
							t.Errorf("%s: header %s: %q", path, name, v)
						}
					}
				}
				if a.tries++; clean {
					a.counted++
				} else {
					a.accepted++
				}
			}
		}
	}
	a.row(t, "API: ends of lines and quotes for the headers of exports")
}
