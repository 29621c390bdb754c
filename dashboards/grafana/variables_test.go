package grafana

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// answered is the answer of InfluxDB to one statement.
type answered struct {
	Error  string
	Series []struct {
		Name    string
		Columns []string
		Values  [][]any
	}
}

// ask asks the InfluxDB at a URL; an error of it fails the test.
func ask(t *testing.T, at, query string) []answered {
	t.Helper()
	resp, err := http.PostForm(at+"/query", url.Values{"db": {"citygrid"}, "q": {query}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error   string
		Results []answered
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(answer.Results, answered{Error: answer.Error}) {
		if r.Error != "" {
			t.Errorf("%s\n%s", query, r.Error)
		}
	}
	return answer.Results
}

// figure returns the one number that a query gives, as a panel of one number shows it.
func figure(t *testing.T, at, query string) float64 {
	t.Helper()
	for _, r := range ask(t, at, query) {
		for _, s := range r.Series {
			if n, ok := s.Values[len(s.Values)-1][len(s.Columns)-1].(float64); ok {
				return n
			}
		}
	}
	t.Errorf("no number: %s", query)
	return 0
}

// choice is how somebody chooses the values of variables.
type choice bool

const (
	chooseFirst choice = false // of each the first value that there is
	chooseAll   choice = true  // all, where a variable takes more than one
)

// resolve returns what Grafana puts in for the variables of a board. A variable may use
// those before it. Each must find values.
func resolve(t *testing.T, at, name string, b *board, how choice) map[string]string {
	t.Helper()
	values, missing := tryResolve(t, at, b, how)
	if missing != "" {
		t.Fatalf("%s: variable %s finds nothing", name, missing)
	}
	return values
}

// tryResolve is resolve, but returns the name of a variable that finds nothing.
func tryResolve(t *testing.T, at string, b *board, how choice) (values map[string]string, missing string) {
	t.Helper()
	values = make(map[string]string)
	for _, v := range b.Templating.List {
		switch v.Type {
		case "custom":
			values[v.Name], _, _ = strings.Cut(v.Query, ",")
		case "query":
			found := tagValues(t, at, fill(v.Query, values))
			if len(found) == 0 {
				return nil, v.Name
			}
			values[v.Name] = v.chosen(found, how)
		}
	}
	return values, ""
}

// chosen returns the chosen values as Grafana's format "regex" writes them.
func (v *variable) chosen(found []string, how choice) string {
	switch {
	case how == chooseAll && v.AllValue != "":
		return v.AllValue
	case how == chooseAll && v.Multi:
		return "(" + strings.Join(found, "|") + ")"
	}
	return found[0]
}

// tagValues returns the values of an answer to SHOW TAG VALUES, quoted for a pattern.
func tagValues(t *testing.T, at, query string) (found []string) {
	t.Helper()
	for _, r := range ask(t, at, query) {
		for _, s := range r.Series {
			for _, row := range s.Values {
				if text, ok := row[1].(string); ok {
					found = append(found, strings.ReplaceAll(regexp.QuoteMeta(text), "/", `\/`))
				}
			}
		}
	}
	return found
}

// fill puts values in for Grafana's variables.
func fill(query string, values map[string]string) string {
	pairs := []string{"$timeFilter", "time > now() - 1h AND time < now()", "$__interval", "1m"}
	for name, value := range values {
		pairs = append(pairs, "${"+name+":regex}", value)
	}
	return strings.NewReplacer(pairs...).Replace(query)
}
