package peers

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"citygrid/internal/child"
)

// sink answers like an InfluxDB that takes every point at once: it counts lines
// and keeps nothing. Before it a program shows what it can do by itself.
type sink struct {
	url     string
	points  atomic.Int64
	away    atomic.Bool // it answers 503
	server  http.Server
	serving sync.WaitGroup
	rooms   sync.Pool
}

func startSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String()}
	s.server = http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	s.serving.Go(func() { _ = s.server.Serve(l) }) // ends with Stop
	return s, nil
}

// URL is the address of the server.
func (s *sink) URL() string { return s.url }

// Stop ends the server.
func (s *sink) Stop() error {
	err := s.server.Close()
	s.serving.Wait()
	return err
}

// Sample returns nothing: the sink is part of this process.
func (s *sink) Sample() child.Usage { return child.Usage{} }

// ServeHTTP takes writes of both APIs, and answers queries with no rows.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.away.Load():
		http.Error(w, "away", http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, "/write"):
		room, ok := s.rooms.Get().(*bytes.Buffer)
		if !ok {
			room = new(bytes.Buffer)
		}
		room.Reset()
		if _, err := io.Copy(room, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.points.Add(int64(lineCount(room.Bytes())))
		s.rooms.Put(room)
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/ping"):
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = io.WriteString(w, `{"results":[{"statement_id":0}]}`)
	}
}

// lineCount counts lines, the last with its end or without.
func lineCount(text []byte) int {
	n := bytes.Count(text, []byte{'\n'})
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

// written and count are the same: what was answered is all that there is.
func (s *sink) written(context.Context) (int, error) { return int(s.points.Load()), nil }
func (s *sink) count(context.Context) (int, error)   { return int(s.points.Load()), nil }
