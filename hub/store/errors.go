package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"citygrid/schemas"
)

// RetryableError says that the store did not do the work now and may do it
// later: no connection, a timeout, overload, a fault of the server. Some of the
// points may be in; writing all of them again is right.
type RetryableError struct {
	// Act and URL say what was tried: "write", "http://127.0.0.1:8086/".
	Act, URL string
	// After is how long the server asked to wait; 0 when it did not.
	After time.Duration
	Err   error
}

// Error returns one line for the operator.
func (e *RetryableError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Act, e.URL, e.Err)
}

// Unwrap returns the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// ConfigError says that the store refuses everything until an operator acts:
// wrong credentials, no such database or retention policy, a limit of the
// server, an address that is no InfluxDB. The points must be kept; trying again
// is right but seldom helps by itself.
type ConfigError struct {
	Act, URL string
	// Advice is what the operator can do.
	Advice string
	Err    error
}

// Error returns one line for the operator, the advice at its end.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s %s: %v; %s", e.Act, e.URL, e.Err, e.Advice)
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Rejected is a reading that the store will never take.
type Rejected struct {
	// Index is the reading's place in what was given to Write or Submit.
	Index   int
	Reading schemas.Reading
	// Reason is the store's own word, or the field that is malformed.
	Reason string
}

// RejectedError names the readings that the store will never take. All others
// of the same call are in the store when it is returned.
type RejectedError struct {
	// Readings is not empty and ascends by Index.
	Readings []Rejected
}

// Error names the first of the readings and counts them.
func (e *RejectedError) Error() string {
	first := e.Readings[0]
	return fmt.Sprintf("the store refused %d readings for good, the first is [%d] meter %s, %s at %s: %s",
		len(e.Readings), first.Index, first.Reading.Meter, first.Reading.Quantity,
		first.Reading.TakenAt.UTC().Format(timeLayout), first.Reason)
}

// refusal is an answer that blames the points of a request, not the request.
type refusal struct {
	text string
	// dropped is how many points the server says it refused; 0 when it does
	// not say.
	dropped int
}

func (e *refusal) Error() string { return e.text }

var droppedPattern = regexp.MustCompile(`\bdropped=([0-9]{1,9})\b`)

// The texts are those of InfluxDB 1.8.10 (tsdb/shard.go,
// coordinator/points_writer.go, models/points.go), which 2.x and 3.x kept.
var (
	// blamesPoints: only these may cost a reading its place. An unknown 400 is
	// more likely a proxy than a bad point.
	blamesPoints = []string{"partial write", "unable to parse", "field type conflict", "points beyond retention policy"}
	// blamesLimits: a setting of the server that an operator can raise.
	blamesLimits = []string{"max-series-per-database", "max-values-per-tag"}
	// blamesNames: 1.8 answers 500 to a retention policy that it does not know.
	blamesNames = []string{"retention policy not found", "database not found"}
	// brokeText: a query met a fault in the server (query/executor.go), as over a series
	// that a full disk has kept out of its file. It stays until the server is restarted.
	brokeText = "[panic:"
)

// ErrBroke: InfluxDB met a fault of its own in a query. A *ConfigError wraps it.
var ErrBroke = errors.New("InfluxDB broke while it answered")

// explain turns a failed request into one of this package's errors. When ctx,
// the caller's, is done, the error wraps its cause and is none of them.
func (s *Store) explain(ctx context.Context, act string, perr *influxhttp.Error) error {
	if perr.StatusCode == 0 {
		return s.explainNoAnswer(ctx, act, perr.Err)
	}
	text := strings.TrimSpace(perr.Message)
	if text == "" {
		text = perr.Error()
	}
	return s.explainAnswer(act, perr.StatusCode, text, time.Duration(perr.RetryAfter)*time.Second)
}

func (s *Store) explainNoAnswer(ctx context.Context, act string, err error) error {
	var foreign *notInfluxError
	if errors.As(err, &foreign) {
		return s.configError(act, foreign, "check that the URL is that of the InfluxDB server and that no proxy answers in its place")
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", act, s.url, context.Cause(ctx))
	}
	return &RetryableError{Act: act, URL: s.url, Err: err}
}

func (s *Store) explainAnswer(act string, status int, text string, after time.Duration) error {
	err := fmt.Errorf("HTTP status %d: %s", status, text)
	switch {
	case status == http.StatusUnauthorized:
		return s.configError(act, err, `check the token ("user:password" on InfluxDB 1.x)`)
	case status == http.StatusForbidden:
		return s.configError(act, err, "grant the token's user the right to read and write "+s.bucketName())
	case status == http.StatusNotFound || containsAny(text, blamesNames):
		return s.configError(act, err, "create "+s.bucketName()+" (on 2.x with its DBRP mapping) or correct the bucket's name")
	case containsAny(text, blamesLimits):
		return s.configError(act, err, "raise that limit in the server's configuration")
	case status == http.StatusRequestEntityTooLarge:
		return &refusal{text: text}
	case strings.Contains(text, "pending deletion"), status == http.StatusTooManyRequests,
		status == http.StatusRequestTimeout, status >= 500:
		return &RetryableError{Act: act, URL: s.url, After: after, Err: err}
	case (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) && containsAny(text, blamesPoints):
		return &refusal{text: text, dropped: droppedCount(text)}
	}
	return s.configError(act, err, "check that the URL is that of the InfluxDB server and that no proxy answers in its place")
}

func (s *Store) configError(act string, err error, advice string) error {
	return &ConfigError{Act: act, URL: s.url, Advice: advice, Err: err}
}

func (s *Store) bucketName() string {
	if s.rp == "" {
		return fmt.Sprintf("database %q", s.db)
	}
	return fmt.Sprintf("database %q with retention policy %q", s.db, s.rp)
}

func droppedCount(text string) int {
	m := droppedPattern.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

func containsAny(text string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
