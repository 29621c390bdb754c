// Package store keeps the series: it writes readings to InfluxDB and reads
// them back exactly as they were.
//
// A reading is one point of the measurement "reading":
//
//	tags    meter, quantity
//	        origin                                  only when not live
//	fields  mantissa (integer), exponent (integer)  the exact value
//	        value (float)                           the same for charts
//	        quality (integer)                       schemas.Quality
//	        reason (string)                         only when not good
//	time    taken_at, milliseconds
//
// A missing reading has no mantissa, exponent and value. The unit is not
// stored: it follows from the quantity (schemas.QuantityInfo). Tags and time
// derive from the reading alone, so writing a reading twice stores it once, and
// whoever is in doubt writes again. Meter, quantity, origin and time are what
// makes a reading: a freeze and a live reading of one millisecond are two.
//
// Component events are points of another measurement (see StoreEvents).
//
// Writes go through the client's blocking API: its asynchronous one drops
// points when the store is away (47 to 77 % in trials). Queue and retry are
// Writer's, here. Queries are InfluxQL, which 1.x, 2.x (through a DBRP mapping)
// and 3.x answer.
//
// This package is the only home of influxdb-client-go.
package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"citygrid/internal/secret"
)

// Config says where the store is and how to write to it.
type Config struct {
	// URL is the server's base address, "http://127.0.0.1:8086".
	URL string
	// Org is the organisation of InfluxDB 2.x; empty on 1.x and 3.x.
	Org string
	// Bucket is "database/retention-policy" or "database" on 1.x, the bucket on
	// 2.x. Queries on 2.x need a DBRP mapping of the same name; 2.x makes one
	// by itself for most names.
	Bucket string
	// Token is empty for a server without authentication. For InfluxDB 1.x with
	// authentication it is "user:password".
	Token secret.Secret
	// Timeout bounds a write, a ping, and every pause within the answer to a
	// query; 0 means 30 s. Fail-over of a cluster takes up to 10 s.
	Timeout time.Duration
	// BatchPoints bounds a write request, 1 to 20,000; 0 means 5,000. More
	// gains nothing and comes near the server's limit of 25 MB.
	BatchPoints int
	// Gzip compresses both ways: for a slow line, not for a LAN, where it costs
	// more than it saves.
	Gzip bool
	// TLS holds the city's own certificate authority, when the system's will
	// not do; nil uses the system's.
	TLS *tls.Config
}

const (
	defaultTimeout     = 30 * time.Second
	defaultBatchPoints = 5000
	maxBatchPoints     = 20_000
)

// Store writes and reads one bucket. Its methods may be called from any
// goroutine.
type Store struct {
	url     string // with a slash at the end
	db, rp  string // of queries
	timeout time.Duration
	batch   int
	pause   func(context.Context, time.Duration) bool // false when ctx ended first

	hc      *http.Client
	service influxhttp.Service
	writes  api.WriteAPIBlocking
	lines   sync.Pool // *[]byte
}

// Open checks c and returns a Store. It does not connect: a hub starts while
// its store is away. Close the Store in the end.
func Open(c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.BatchPoints == 0 {
		c.BatchPoints = defaultBatchPoints
	}
	hc := &http.Client{Transport: newTransport(c)}
	client := influxdb2.NewClientWithOptions(c.URL, string(c.Token.Reveal()), influxdb2.DefaultOptions().
		SetPrecision(time.Millisecond).
		SetUseGZip(c.Gzip).
		SetHTTPClient(hc).
		SetApplicationName("citygrid"))
	s := &Store{
		url:     client.HTTPService().ServerURL(),
		timeout: c.Timeout,
		batch:   c.BatchPoints,
		pause:   pause,
		hc:      hc,
		service: client.HTTPService(),
		writes:  client.WriteAPIBlocking(c.Org, c.Bucket),
	}
	s.db, s.rp, _ = strings.Cut(c.Bucket, "/")
	return s, nil
}

func (c Config) check() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return errors.New("the URL cannot be read; want http://host:port")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("the URL: want http://host:port or https://host:port")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL: want the base address alone; credentials belong in the token")
	}
	if c.Bucket == "" || strings.HasPrefix(c.Bucket, "/") {
		return fmt.Errorf("bucket %q: want a name, or database/retention-policy on 1.x", c.Bucket)
	}
	if c.Timeout < 0 {
		return fmt.Errorf("timeout %s: want a positive duration, or 0 for %s", c.Timeout, defaultTimeout)
	}
	if c.BatchPoints < 0 || c.BatchPoints > maxBatchPoints {
		return fmt.Errorf("batch of %d points: want 1 to %d, or 0 for %d", c.BatchPoints, maxBatchPoints, defaultBatchPoints)
	}
	return nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (s *Store) Close() { s.hc.CloseIdleConnections() }

// URL returns the server's base address, for messages.
func (s *Store) URL() string { return s.url }

// Ping reports whether the server answers, takes the credentials and has the
// database and retention policy: a *RetryableError when it does not answer, a *ConfigError when an
// operator must act.
func (s *Store) Ping(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodGet, s.url+"ping", nil)
	if err != nil {
		return fmt.Errorf("ping %s: %w", s.url, err)
	}
	perr := s.service.DoHTTPRequest(req, nil, func(r *http.Response) error { return r.Body.Close() })
	if perr != nil {
		return s.explain(ctx, "ping", perr)
	}
	// The last millisecond that a reading may carry: the server looks up the
	// bucket and finds no data to scan.
	end := bounded(time.Unix(1<<40, 0))
	q := `SELECT "quality" FROM "` + measurement + `" WHERE ` + between(end.Add(-time.Millisecond), end) + ` LIMIT 1`
	return s.query(ctx, q, func(*series) error { return nil })
}

// newTransport is the standard transport with enough idle connections for the
// writers, and without the compression that it would ask for by itself.
func newTransport(c Config) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	t.DisableCompression = !c.Gzip
	if c.TLS != nil {
		t.TLSClientConfig = c.TLS.Clone()
	}
	return &strictTransport{next: t}
}

// strictTransport lets a write succeed only with 204, which is what every
// InfluxDB answers when the points are stored. The client takes any 2xx; a
// portal or a proxy that answers 200 to everything would swallow readings.
type strictTransport struct{ next http.RoundTripper }

// notInfluxError is an answer that no InfluxDB gives.
type notInfluxError struct{ status string }

func (e *notInfluxError) Error() string {
	return fmt.Sprintf("it answered a write with %q, want 204", e.status)
}

// RoundTrip implements http.RoundTripper.
func (t *strictTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/api/v2/write") {
		return resp, err
	}
	if resp.StatusCode/100 == 2 && resp.StatusCode != http.StatusNoContent {
		resp.Body.Close()
		return nil, &notInfluxError{resp.Status}
	}
	return resp, nil
}

// CloseIdleConnections passes the call of http.Client on.
func (t *strictTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
