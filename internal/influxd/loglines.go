package influxd

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// tailLines is how many lines are kept for an error message.
const tailLines = 8

// maxLine bounds what is kept of a line without end.
const maxLine = 64 << 10

// logLines receives the child's output, passes it on, finds the address of the
// HTTP service in it and keeps the last lines.
type logLines struct {
	addr chan string // receives one address

	mu    sync.Mutex
	out   io.Writer
	part  []byte // a line whose end has not come
	tail  []string
	found bool
}

func newLogLines(out io.Writer) *logLines {
	if out == nil {
		out = io.Discard
	}
	return &logLines{addr: make(chan string, 1), out: out}
}

// Write never fails: a full disk below the log must not stop the server.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 && len(l.part) < maxLine {
			return len(p), nil
		}
		end := i + 1
		if i < 0 {
			end = len(l.part)
		}
		l.line(l.part[:end])
		l.part = l.part[:copy(l.part, l.part[end:])]
	}
}

func (l *logLines) line(b []byte) {
	_, _ = l.out.Write(b)
	text := strings.TrimSpace(string(b))
	if text == "" {
		return
	}
	if len(l.tail) == tailLines {
		l.tail = l.tail[:copy(l.tail, l.tail[1:])]
	}
	l.tail = append(l.tail, text)
	if addr, ok := listenAddr(text); ok && !l.found {
		l.found = true
		l.addr <- addr
	}
}

// listenAddr reads the line that the HTTP service writes once its port is open
// [InfluxDB 1.8.10, services/httpd/service.go, Open]:
//
//	ts=... lvl=info msg="Listening on HTTP" log_id=... service=httpd addr=127.0.0.1:8086 https=false
func listenAddr(line string) (addr string, ok bool) {
	if !strings.Contains(line, `msg="Listening on HTTP"`) {
		return "", false
	}
	_, rest, ok := strings.Cut(line, " addr=")
	if !ok {
		return "", false
	}
	addr, _, _ = strings.Cut(rest, " ")
	return strings.Trim(addr, `"`), true
}

func (l *logLines) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tail {
		if strings.Contains(t, s) {
			return true
		}
	}
	return false
}

// lastWords returns the end of the log for an error message.
func (l *logLines) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tail) == 0 {
		return ""
	}
	return "; the end of its log:\n" + strings.Join(l.tail, "\n")
}
