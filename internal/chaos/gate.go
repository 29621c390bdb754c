package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// gate stands before InfluxDB, knows its protocol, and can be a bad one. It also keeps
// its own account of what InfluxDB has taken.
type gate struct {
	server *http.Server
	target atomic.Pointer[string]
	url    string
	client *http.Client
	done   chan struct{}
	// written is called when InfluxDB has taken points and the hub does not know yet,
	// answered when the answer is on its way.
	written, answered func()

	mu    sync.Mutex
	mode  mode
	sent  map[string]bool // on their way to InfluxDB, by any hub
	taken map[string]bool // by InfluxDB, of any hub
	life  map[string]bool // by the hub that runs
	again int             // points that an earlier hub had written, and this one too
	kills int             // hubs after which that was so
	known bool            // that this hub is one of them
	bad   map[string]bool // the points that InfluxDB refuses for good
	whole bool            // it takes nothing of a write that has one of them
}

// mode is how InfluxDB answers writes.
type mode struct {
	status     int  // instead of taking it; 0: takes it
	retryAfter int  // seconds
	cut        bool // takes it and gives no answer
	spoil      bool // the next write has a bad point
	whole      bool // and nothing of a write with a bad point is taken
}

func newGate() (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{
		url: l.Addr().String(), client: &http.Client{Timeout: recovery, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}, done: make(chan struct{}),
		sent: make(map[string]bool), taken: make(map[string]bool), life: make(map[string]bool), bad: make(map[string]bool),
	}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() { defer close(g.done); _ = g.server.Serve(l) }()
	return g, nil
}

func (g *gate) close() {
	_ = g.server.Close()
	<-g.done
	g.client.CloseIdleConnections()
}

// to says where InfluxDB is.
func (g *gate) to(url string) { g.target.Store(&url) }

// set changes how writes are answered.
func (g *gate) set(m mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !m.spoil && g.mode.spoil { // until a write has met it
		m.spoil, m.whole = true, g.mode.whole
	}
	g.mode = m
}

// newHub says that the hub was killed: the next one knows what it has on disk.
func (g *gate) newHub() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.life, g.known = make(map[string]bool), false
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if !strings.HasSuffix(r.URL.Path, "/write") {
		g.pass(w, r, body)
		return
	}
	g.mu.Lock()
	m := g.mode
	if m.spoil && g.spoil(body) {
		g.mode.spoil, g.whole = false, m.whole
	}
	good, bad := g.sort(body)
	whole := g.whole
	if m.status == 0 {
		g.passing(good)
	}
	g.mu.Unlock()
	switch {
	case m.status != 0:
		if m.retryAfter > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(m.retryAfter))
		}
		answerError(w, m.status, "chaos: the server is not well")
	case bad > 0 && whole: // as the parsers of later versions do
		answerError(w, http.StatusBadRequest, "unable to parse: a point is not well")
	case bad > 0:
		if len(good) > 0 && !g.send(r, good) {
			panic(http.ErrAbortHandler)
		}
		answerError(w, http.StatusBadRequest, fmt.Sprintf("partial write: points beyond retention policy dropped=%d", bad))
	default:
		g.write(w, r, body, m.cut)
	}
}

// write passes a write on. The triggers see it between InfluxDB and the hub.
func (g *gate) write(w http.ResponseWriter, r *http.Request, body []byte, cut bool) {
	answer, err := g.ask(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		g.note(body)
		call(g.written)
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	copyAnswer(w, answer)
	call(g.answered)
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// send writes the good lines of a batch that has bad ones.
func (g *gate) send(r *http.Request, body []byte) bool {
	answer, err := g.ask(r, body)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		g.note(body)
	}
	return answer.StatusCode/100 == 2
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	answer, err := g.ask(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	copyAnswer(w, answer)
}

// ask puts a request to InfluxDB, whatever becomes of the hub meanwhile: what left the
// hub whole has been heard.
func (g *gate) ask(r *http.Request, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, *g.target.Load()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	return g.client.Do(request)
}

func copyAnswer(w http.ResponseWriter, answer *http.Response) {
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
	_ = http.NewResponseController(w).Flush()
}

func answerError(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":"invalid","message":%q}`, text)
}

// passing notes points that are about to go to InfluxDB; mu is held.
func (g *gate) passing(body []byte) {
	for line := range bytes.Lines(body) {
		if key, ok := keyOf(line); ok {
			g.sent[key] = true
		}
	}
}

// spoil makes one point of a write a bad one for ever; mu is held. It is one that no
// write before brought: a hub that was killed may have one under way, and InfluxDB may
// have taken what it was killed over.
func (g *gate) spoil(body []byte) bool {
	for line := range bytes.Lines(body) {
		if key, ok := keyOf(line); ok && !g.sent[key] {
			g.bad[key] = true
			return true
		}
	}
	return false
}

// sort returns the lines that are good, and how many are not; mu is held.
func (g *gate) sort(body []byte) (good []byte, bad int) {
	if len(g.bad) == 0 {
		return body, 0
	}
	for line := range bytes.Lines(body) {
		if key, ok := keyOf(line); ok && g.bad[key] {
			bad++
			continue
		}
		good = append(good, line...)
	}
	return good, bad
}

// note remembers what InfluxDB has taken.
func (g *gate) note(body []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for line := range bytes.Lines(body) {
		key, ok := keyOf(line)
		if !ok {
			continue
		}
		if g.taken[key] && !g.life[key] {
			g.again++
			if !g.known {
				g.known = true
				g.kills++
			}
		}
		g.taken[key], g.life[key] = true, true
	}
}

// has reports whether InfluxDB has taken a point.
func (g *gate) has(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken[key]
}

// refused returns the points that InfluxDB was made to refuse.
func (g *gate) refused() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bad
}

// counts returns the points that this hub has written, how many of all points were
// written by two hubs, and how many hubs were killed so that they were.
func (g *gate) counts() (life map[string]bool, again, kills int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.life, g.again, g.kills
}

// keyOf names the point of a line of the line protocol that holds a reading: its series
// and its moment.
func keyOf(line []byte) (key string, ok bool) {
	line = bytes.TrimRight(line, "\n")
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 0 || last <= first || !bytes.HasPrefix(line, []byte("reading,")) {
		return "", false
	}
	return string(line[:first]) + string(line[last:]), true
}

// pointOf names the point of a reading as keyOf does.
func pointOf(r schemas.Reading) string {
	key, _ := keyOf(store.AppendLine(nil, r))
	return key
}
