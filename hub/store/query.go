package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// chunkRows is how many rows the server sends, and holds, at a time.
const chunkRows = 10_000

// timeLayout is how times stand in a query: InfluxQL takes RFC 3339.
const timeLayout = "2006-01-02T15:04:05.000Z"

// maxErrorBody bounds what is read of an answer that is no result.
const maxErrorBody = 64 << 10

// series is one piece of a result: rows of one series. Values stays raw, so
// that no integer ever passes through a float64.
type series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  json.RawMessage   `json:"values"`
}

// answer is one line of a chunked answer. JSON rather than CSV: the CSV of
// InfluxDB 1.8 leaves out an error that comes after the first rows, and the
// answer would look complete.
type answer struct {
	Error   string `json:"error"`
	Results []struct {
		Series  []series `json:"series"`
		Error   string   `json:"error"`
		Partial bool     `json:"partial"`
	} `json:"results"`
}

// query runs one InfluxQL statement and calls each with every piece of the
// result as it arrives. An error of each ends the query and is returned as it
// is. The integers of the answer are milliseconds where they are times.
func (s *Store) query(ctx context.Context, statement string, each func(*series) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := fmt.Errorf("no answer within %s", s.timeout)
	timer := time.AfterFunc(s.timeout, func() { cancel(stalled) })
	defer timer.Stop()

	resp, err := s.ask(ctx, statement)
	if err != nil {
		return s.explainQuery(ctx, stalled, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s.explainStatus(resp)
	}
	err = readAnswers(&pausedReader{r: resp.Body, timer: timer, limit: s.timeout}, each)
	return s.explainQuery(ctx, stalled, err)
}

// ask sends the statement. GET: 1.8 runs nothing but reading statements then.
func (s *Store) ask(ctx context.Context, statement string) (*http.Response, error) {
	v := url.Values{"q": {statement}, "db": {s.db}, "epoch": {"ms"}, "chunked": {"true"}, "chunk_size": {fmt.Sprint(chunkRows)}}
	if s.rp != "" {
		v.Set("rp", s.rp)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"query?"+v.Encode(), nil)
	if err != nil {
		return nil, &brokenError{err}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.service.DoHTTPRequestWithResponse(req, nil)
	if err != nil {
		return nil, &brokenError{withoutQuery(err)}
	}
	return resp, nil
}

// withoutQuery keeps the statement out of messages: the act says enough.
func withoutQuery(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// brokenError is a connection that failed or ended early.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// resultError is an error that the server put into its answer.
type resultError struct{ text string }

func (e *resultError) Error() string { return e.text }

// explainQuery names the server in errors of the line and of the answer, and
// leaves the callback's own errors alone.
func (s *Store) explainQuery(ctx context.Context, stalled, err error) error {
	var broken *brokenError
	if errors.As(err, &broken) {
		if context.Cause(ctx) == stalled {
			return &RetryableError{Act: "query", URL: s.url, Err: stalled}
		}
		return s.explainNoAnswer(ctx, "query", broken.err)
	}
	var res *resultError
	if errors.As(err, &res) {
		if containsAny(res.text, blamesNames) {
			return s.configError("query", res, "create "+s.bucketName()+" or correct the bucket's name")
		}
		if strings.Contains(res.text, brokeText) {
			return s.configError("query", fmt.Errorf("%w: %w", ErrBroke, res), "see that its disk has room, and restart it; docs/operations.md says what to do if it does not start")
		}
		return fmt.Errorf("query %s: it answered: %w", s.url, res)
	}
	return err
}

func (s *Store) explainStatus(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return &RetryableError{Act: "query", URL: s.url, Err: err}
	}
	var body struct {
		Error   string `json:"error"`   // 1.x, 3.x
		Message string `json:"message"` // 2.x
	}
	text := strings.TrimSpace(string(raw))
	if json.Unmarshal(raw, &body) == nil && body.Error+body.Message != "" {
		text = strings.TrimSpace(body.Error + " " + body.Message)
	}
	perr := influxhttp.NewError(nil)
	perr.StatusCode, perr.Message = resp.StatusCode, text
	err = s.explain(resp.Request.Context(), "query", perr)
	var ref *refusal
	if errors.As(err, &ref) { // a word for points means nothing here
		return fmt.Errorf("query %s: HTTP status %d: %s", s.url, resp.StatusCode, text)
	}
	return err
}

// readAnswers reads the lines of a chunked answer to its end. An answer that
// ends while it promises more is an error.
func readAnswers(r io.Reader, each func(*series) error) error {
	dec := json.NewDecoder(r)
	partial := false
	for {
		var a answer
		if err := dec.Decode(&a); err == io.EOF && !partial {
			return nil
		} else if err != nil {
			return &brokenError{fmt.Errorf("read the answer: %w", err)}
		}
		if a.Error != "" {
			return &resultError{a.Error}
		}
		for i := range a.Results {
			res := &a.Results[i]
			if res.Error != "" {
				return &resultError{res.Error}
			}
			partial = res.Partial
			for j := range res.Series {
				if err := each(&res.Series[j]); err != nil {
					return err
				}
			}
		}
	}
}

// pausedReader bounds every pause of the server; the time that the caller
// takes between two reads does not count.
type pausedReader struct {
	r     io.Reader
	timer *time.Timer
	limit time.Duration
}

func (p *pausedReader) Read(b []byte) (int, error) {
	p.timer.Reset(p.limit)
	n, err := p.r.Read(b)
	p.timer.Stop()
	return n, err
}

// quoteString writes s as a string literal of InfluxQL. Backslash first: it is
// the escape [InfluxQL specification, "Strings"].
func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + "'"
}

// between is the condition from <= time < to.
func between(from, to time.Time) string {
	return "time >= '" + from.Format(timeLayout) + "' AND time < '" + to.Format(timeLayout) + "'"
}

// bounded brings t into the years that a Reading may carry, which the zero Time
// and "for ever" are outside of, and up to a whole millisecond, so that a bound
// between two milliseconds takes in neither too much nor too little.
func bounded(t time.Time) time.Time {
	first := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(end):
		return end
	}
	return t.Add(time.Millisecond - time.Nanosecond).Truncate(time.Millisecond).UTC()
}
