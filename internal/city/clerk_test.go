package city

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// clerk is a person at the hub's API.
type clerk struct {
	t    *testing.T
	c    *City
	self Person
}

// as returns the first person with a role; of the role department, that of one.
func as(t *testing.T, c *City, role, department string) clerk {
	t.Helper()
	for _, p := range c.People() {
		if slices.Contains(p.Roles, role) && p.Department == department {
			return clerk{t, c, p}
		}
	}
	t.Fatalf("nobody has the role %s %s", role, department)
	return clerk{}
}

// ask sends a request; ok is false where the hub did not take it for a passing reason.
func (k clerk) ask(method, path string, body, into any) (status int) {
	k.t.Helper()
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			k.t.Fatal(err)
		}
		sent = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(k.t.Context(), method, k.c.HubURL()+path, sent)
	if err != nil {
		k.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+k.self.Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0 // it is down, or not up yet
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0
	}
	if answer.StatusCode >= 400 && answer.StatusCode < 500 {
		k.t.Fatalf("%s %s as %s: %s: %s", method, path, k.self.ID, answer.Status, data)
	}
	if into != nil && answer.StatusCode < 300 {
		if err := json.Unmarshal(data, into); err != nil {
			k.t.Fatalf("%s %s: %v: %s", method, path, err, data)
		}
	}
	return answer.StatusCode
}

// kase is what the tests look at of a case in a list.
type kase struct {
	ID, State, Component, Condition, Cell, Event, Source string
}

// list returns all cases that a query selects.
func (k clerk) list(query url.Values) (rows []kase) {
	k.t.Helper()
	query.Set("limit", "1000")
	var page struct{ Rows []kase }
	k.ask(http.MethodGet, "/api/v1/cases?"+query.Encode(), nil, &page)
	return page.Rows
}

// of returns the cases about a component that have a condition.
func (k clerk) of(component schemas.ComponentID, kind schemas.EventKind) []kase {
	k.t.Helper()
	return slices.DeleteFunc(k.list(url.Values{"component": {string(component)}}), func(c kase) bool { return c.Condition != string(kind) })
}

// act does one act.
func (k clerk) act(id, act string, more map[string]any) {
	k.t.Helper()
	body := map[string]any{"act": act, "client_id": uuid(k.t), "at": time.Now().UTC().Format(time.RFC3339Nano)}
	for name, value := range more {
		body[name] = value
	}
	if status := k.ask(http.MethodPost, "/api/v1/cases/"+id+"/acts", body, nil); status != http.StatusOK && status != http.StatusCreated {
		k.t.Fatalf("%s of case %s as %s: status %d", act, id, k.self.ID, status)
	}
}

// step is what the tests look at of an entry in a journal.
type step struct {
	Number                    uint32
	Act, Person, Role, SM3    string
	At                        time.Time
	ReceivedAt                time.Time `json:"received_at"`
	Filing                    *struct{ Cell string }
	Text, Department, Outcome string
}

func (k clerk) journal(id string) (steps []step) {
	k.t.Helper()
	k.ask(http.MethodGet, "/api/v1/cases/"+id+"/journal", nil, &steps)
	return steps
}

// acts returns the acts of a journal, without notes.
func acts(steps []step) (list []string) {
	for _, s := range steps {
		if s.Act != "note" {
			list = append(list, s.Act)
		}
	}
	return list
}

// find returns the first entry of an act.
func find(t *testing.T, steps []step, act string) step {
	t.Helper()
	n := slices.IndexFunc(steps, func(s step) bool { return s.Act == act })
	if n < 0 {
		t.Fatalf("no %s in %v", act, acts(steps))
	}
	return steps[n]
}

func uuid(t *testing.T) string {
	t.Helper()
	token, err := newToken()
	if err != nil {
		t.Fatal(err)
	}
	h := fmt.Sprintf("%x", token)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
