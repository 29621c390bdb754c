// Package httpd is an HTTP server that slow, greedy and malformed clients cannot keep
// others out of.
//
//   - A request line and its headers have HeaderTime and maxHeaderBytes, an idle connection
//     has idleTime, a body has BodyTime unless its route says otherwise
//     (http.ResponseController.SetReadDeadline). The work on a body that has been read has
//     no bound here.
//   - Connections are bounded, all together and for each address. When a bound is reached
//     the connection that has waited longest for its client (for headers, or idle) makes
//     room; only where all are at work is the new one refused. So connections that send
//     nothing, or a byte now and then, cannot keep anybody out.
//   - Requests under way are bounded in the same way, for one HTTP/2 connection carries
//     many; beyond a bound they are answered with 503. A live stream is one request for
//     as long as it lasts.
//   - A body with a Content-Encoding is refused with 415: nothing here is decompressed, so
//     no small body becomes a large one.
//
// How fast an answer must be taken is the handler's business.
package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// HeaderTime bounds the TLS handshake, and a request's line and headers.
	HeaderTime = 10 * time.Second
	// BodyTime bounds a body, unless its route says otherwise.
	BodyTime = 30 * time.Second
	idleTime = 90 * time.Second
	// maxHeaderBytes is plenty for a browser with its cookies.
	maxHeaderBytes = 32 << 10
	// maxStreams bounds the requests under way on one HTTP/2 connection.
	maxStreams = 64
	// drainTime is how long requests under way have to finish at the end.
	drainTime = 3 * time.Second
)

// Options say what to serve and to how many.
type Options struct {
	// Handler answers; required.
	Handler http.Handler
	// TLS makes it HTTPS; nil is in clear.
	TLS *tls.Config
	// Connections bounds all connections, and also the requests under way; PerAddress the
	// connections of one address, and also its requests under way, live streams included.
	// One address is an IPv4 address, behind which there may be a whole office, or an
	// IPv6 network of 64 bits. Both required.
	Connections, PerAddress int
	// Exempt says for which addresses PerAddress does not hold; nil: for none. One whose
	// address is not known is exempt.
	Exempt func(netip.Addr) bool
	// Log takes what goes wrong with connections; required.
	Log *slog.Logger
}

// Server is a server that has not ended. Make it with New.
type Server struct {
	http    *http.Server
	crowd   *crowd
	handler http.Handler
	max     int64
	active  atomic.Int64
	busy    atomic.Uint64
	encoded atomic.Uint64
	tls     bool
}

// Counts are what has happened since the start.
type Counts struct {
	// Open are connections now.
	Open int
	// Evicted were ended while they waited for their client, to make room; Refused found
	// no room; Busy were requests beyond a bound; Encoded bodies that were compressed.
	Evicted, Refused, Busy, Encoded uint64
}

// New returns a server for o.
func New(o Options) *Server {
	exempt := o.Exempt
	if exempt == nil {
		exempt = func(netip.Addr) bool { return false }
	}
	s := &Server{handler: o.Handler, max: int64(o.Connections), crowd: newCrowd(o.Connections, o.PerAddress, exempt), tls: o.TLS != nil}
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serve), TLSConfig: o.TLS, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: HeaderTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaderBytes, ConnContext: withMember,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second},
	}
	return s
}

// Serve serves on l until ctx is done, and then waits for what is under way, for at most
// three seconds. It calls closing, which may be nil, when it begins to end: answers that
// go on by themselves have to end then. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener, closing func()) error {
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		if closing != nil {
			closing()
		}
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if s.http.Shutdown(bound) != nil {
			_ = s.http.Close()
		}
	})
	err := s.serveOn(s.crowd.listen(l))
	if !stop() {
		<-down // the requests under way get their answers
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) serveOn(l net.Listener) error {
	if s.tls {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// Counts returns what has happened since the start.
func (s *Server) Counts() Counts {
	c := s.crowd.counts()
	c.Busy, c.Encoded = s.busy.Load(), s.encoded.Load()
	return c
}

// serve puts the protections of every request around the handler.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	leave, within := enter(r.Context())
	defer leave()
	if r.TLS != nil { // never in clear, where anybody could have put it in
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	if !within {
		s.tooMany(w, "As many requests from this address are under way as one may have. Try again soon.")
		return
	}
	if s.active.Add(1) > s.max {
		s.active.Add(-1)
		s.tooMany(w, "The hub answers as many requests as it can. Try again soon.")
		return
	}
	defer s.active.Add(-1)
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		s.encoded.Add(1)
		w.Header().Set("Accept-Encoding", "identity") // RFC 9110 12.5.3
		w.Header().Set("Connection", "close")         // the body is not read
		refuse(w, http.StatusUnsupportedMediaType, "content_encoding", "Bodies are taken as they are. Send this one without Content-Encoding.")
		return
	}
	if r.ContentLength != 0 {
		// The network's own clock. A server without deadlines still works. It ends with
		// the body: net/http takes it away when all of it has been read.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(BodyTime))
	}
	s.handler.ServeHTTP(w, r)
}

// tooMany refuses a request beyond a bound.
func (s *Server) tooMany(w http.ResponseWriter, detail string) {
	s.busy.Add(1)
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusServiceUnavailable, "busy", detail)
}

// refuse answers with a problem [RFC 9457].
func refuse(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The texts hold nothing that JSON would have to escape.
	_, _ = io.WriteString(w, `{"title":"`+http.StatusText(status)+`","status":`+strconv.Itoa(status)+`,"code":"`+code+`","detail":"`+detail+"\"}\n")
}
