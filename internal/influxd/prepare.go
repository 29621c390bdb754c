package influxd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pollEvery is the pause between two looks at a server that is starting.
const pollEvery = 10 * time.Millisecond

// prepare waits until the server answers, then creates user and database.
func (s *Server) prepare(ctx context.Context, o Options) error {
	if err := s.waitPing(ctx); err != nil {
		return err
	}
	if o.User != "" {
		// The server accepts this without credentials while it has no
		// administrator; on a later start it is refused, and the next
		// statement shows whether the user is the right one.
		create := fmt.Sprintf(`CREATE USER "%s" WITH PASSWORD '%s' WITH ALL PRIVILEGES`, escape(o.User, `"`), escape(o.Password, `'`))
		if err := s.exec(ctx, o, create); err != nil && !isRefusal(err) {
			return fmt.Errorf("create its user: %w", err)
		}
	}
	if err := s.exec(ctx, o, `CREATE DATABASE "`+o.Database+`"`); err != nil {
		return fmt.Errorf("create database %s: %w", o.Database, err)
	}
	return nil
}

// waitPing returns when /ping answers 204. A server that opens many shards
// answers only after its port is open.
func (s *Server) waitPing(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.child.Done():
			return fmt.Errorf("it ended by itself (%s)%s", s.child.State(), s.log.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s/ping: %w; its last answer: %w", s.url, context.Cause(ctx), err)
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ping", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("HTTP status %s", resp.Status)
	}
	return nil
}

// statusError is an HTTP answer that is not 200.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

func isRefusal(err error) bool {
	e, ok := err.(*statusError)
	return ok && (e.code == http.StatusUnauthorized || e.code == http.StatusForbidden)
}

// exec runs one InfluxQL statement that returns no rows.
func (s *Server) exec(ctx context.Context, o Options, statement string) error {
	body := strings.NewReader(url.Values{"q": {statement}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/query", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if o.User != "" {
		req.SetBasicAuth(o.User, o.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{resp.StatusCode, fmt.Sprintf("HTTP status %s: %s", resp.Status, strings.TrimSpace(string(raw)))}
	}
	return resultError(raw)
}

// resultError finds the error of a statement, which comes with status 200.
func resultError(raw []byte) error {
	var answer struct {
		Results []struct {
			Error string `json:"error"`
		} `json:"results"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	for _, r := range answer.Results {
		if r.Error != "" {
			return fmt.Errorf("it answered: %s", r.Error)
		}
	}
	return nil
}

// escape prepares s for InfluxQL between the given quotes.
func escape(s, quote string) string {
	return strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`).Replace(s)
}
