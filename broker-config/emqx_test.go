package brokerconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// term is an Erlang term of EMQX's acl.conf: an atom, a string, a tuple or a list.
type term struct {
	kind  byte // a s { [
	text  string
	parts []term
}

// terms is a strict reader of what acl.conf may hold: tuples that end in a full stop.
type terms struct {
	rest string
}

var erlangToken = regexp.MustCompile(`^(?:[a-z][a-zA-Z0-9_@]*|"[^"\\\n]*"|[{}\[\],.])`)

func (p *terms) next() (string, error) {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\r\n")
		if !strings.HasPrefix(p.rest, "%") {
			break
		}
		_, p.rest, _ = strings.Cut(p.rest, "\n")
	}
	if p.rest == "" {
		return "", nil
	}
	t := erlangToken.FindString(p.rest)
	if t == "" {
		return "", fmt.Errorf("no term at %.20q", p.rest)
	}
	p.rest = p.rest[len(t):]
	return t, nil
}

func (p *terms) term(t string) (term, error) {
	switch {
	case t == "{", t == "[":
		return p.sequence(t)
	case strings.HasPrefix(t, `"`):
		return term{kind: 's', text: t[1 : len(t)-1]}, nil
	case t != "" && t[0] >= 'a' && t[0] <= 'z':
		return term{kind: 'a', text: t}, nil
	}
	return term{}, fmt.Errorf("want a term, found %q before %.20q", t, p.rest)
}

func (p *terms) sequence(open string) (term, error) {
	end := map[string]string{"{": "}", "[": "]"}[open]
	out := term{kind: open[0]}
	for {
		t, err := p.next()
		if err != nil {
			return out, err
		}
		one, err := p.term(t)
		if err != nil {
			return out, err
		}
		out.parts = append(out.parts, one)
		switch t, err = p.next(); {
		case err != nil:
			return out, err
		case t == end:
			return out, nil
		case t != ",":
			return out, fmt.Errorf("want , or %s, found %q", end, t)
		}
	}
}

// emqxRule is one rule of acl.conf, as EMQX documents them ("Use ACL File").
type emqxRule struct {
	allow  bool
	user   string // empty: everybody
	action string // publish, subscribe, all
	topics []string
}

func readEMQXRules(text string) (rules []emqxRule, err error) {
	p := &terms{rest: text}
	for {
		t, err := p.next()
		if err != nil || t == "" {
			return rules, err
		}
		one, err := p.term(t)
		if err != nil {
			return nil, err
		}
		if stop, err := p.next(); err != nil || stop != "." {
			return nil, fmt.Errorf("rule %d does not end in a full stop: %q, %w", len(rules)+1, stop, err)
		}
		rule, err := emqxRuleOf(one)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", len(rules)+1, err)
		}
		rules = append(rules, rule)
	}
}

func emqxRuleOf(t term) (r emqxRule, err error) {
	if t.kind != '{' || len(t.parts) != 2 && len(t.parts) != 4 {
		return r, fmt.Errorf("want a tuple of two or four")
	}
	verdict, who := t.parts[0], t.parts[1]
	if verdict.kind != 'a' || verdict.text != "allow" && verdict.text != "deny" {
		return r, fmt.Errorf("want allow or deny, found %q", verdict.text)
	}
	r.allow, r.action, r.topics = verdict.text == "allow", "all", []string{"#"}
	switch {
	case who.kind == 'a' && who.text == "all":
	case who.kind == '{' && len(who.parts) == 2 && who.parts[0].kind == 'a' && who.parts[0].text == "username" && who.parts[1].kind == 's':
		r.user = who.parts[1].text
	default:
		return r, fmt.Errorf("want all or {username, \"...\"}")
	}
	if len(t.parts) == 2 {
		return r, nil
	}
	action, topics := t.parts[2], t.parts[3]
	if action.kind != 'a' || !slices.Contains([]string{"publish", "subscribe", "all"}, action.text) || topics.kind != '[' {
		return r, fmt.Errorf("want publish, subscribe or all, and a list of topics")
	}
	r.action, r.topics = action.text, nil
	for _, f := range topics.parts {
		if f.kind != 's' {
			return r, fmt.Errorf("want topics as strings")
		}
		r.topics = append(r.topics, f.text)
	}
	return r, nil
}

// mayEMQX decides as EMQX does: the first rule that fits, and no_match is deny.
func mayEMQX(rules []emqxRule, user, action, topic string) bool {
	for _, r := range rules {
		if r.user != "" && r.user != user || r.action != "all" && r.action != action {
			continue
		}
		for _, f := range r.topics {
			if covers(strings.ReplaceAll(f, "${username}", user), topic) {
				return r.allow
			}
		}
	}
	return false
}

// covers reports whether a filter takes in every topic of another filter, or a topic.
func covers(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return !strings.HasPrefix(topic, "$") || i > 0
		case i >= len(t), t[i] == "#", level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}

// TestEMQXRules: acl.conf is read whole, and gives each user of the example what the access
// list gives it, but for the area of a collector, which emqx/README.md tells of.
func TestEMQXRules(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("emqx", "acl.conf"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := readEMQXRules(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if last := rules[len(rules)-1]; last.allow || last.user != "" || last.action != "all" {
		t.Error("the last rule does not deny the rest")
	}
	for _, u := range exampleAccess().Users {
		for _, f := range u.Publish {
			if topic := strings.ReplaceAll(f, "+", "c-0001"); !mayEMQX(rules, u.Name, "publish", topic) {
				t.Errorf("%s may not publish to %s", u.Name, topic)
			}
			if mayEMQX(rules, u.Name, "subscribe", f) {
				t.Errorf("%s may read its own %s", u.Name, f)
			}
		}
		for _, f := range u.Subscribe {
			if !mayEMQX(rules, u.Name, "subscribe", f) {
				t.Errorf("%s may not read %s", u.Name, f)
			}
			if topic := strings.ReplaceAll(f, "+", "c-0001"); mayEMQX(rules, u.Name, "publish", topic) {
				t.Errorf("%s may write %s", u.Name, topic)
			}
		}
	}
	for _, topic := range []string{"citygrid/v1/310115/c-0002/receipt", "citygrid/v1/310115/+/receipt", "citygrid/#", "#", "$SYS/#", "$share/g/citygrid/v1/310115/c-0001/receipt"} {
		if mayEMQX(rules, "c-0001", "subscribe", topic) {
			t.Errorf("c-0001 may read %s", topic)
		}
	}
	for _, topic := range []string{"citygrid/v1/310115/c-0002/readings", "citygrid/v1/310115/c-0001/receipt", "$SYS/x", "x"} {
		if mayEMQX(rules, "c-0001", "publish", topic) {
			t.Errorf("c-0001 may write %s", topic)
		}
	}
	for _, wrong := range []string{"{allow, all}", "{allow, all", "{permit, all}.", "{allow, all, read, [\"x\"]}.", "{allow, {user}, publish, [\"x\"]}.", "{allow, all, publish, \"x\"}.", "{allow all}."} {
		if _, err := readEMQXRules(wrong); err == nil {
			t.Errorf("%s: taken", wrong)
		}
	}
}

// TestEMQXSettings: every key of citygrid.hocon is one of EMQX 5, each stands once, the
// braces close, and what keeps strangers out is set.
func TestEMQXSettings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("emqx", "citygrid.hocon"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readHOCON(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"listeners.tcp.default.enable": "false", "listeners.ws.default.enable": "false", "listeners.wss.default.enable": "false",
		"listeners.ssl.default.bind":                             `"0.0.0.0:8883"`,
		"listeners.ssl.default.ssl_options.certfile":             `"/etc/citygrid/tls/broker.crt"`,
		"listeners.ssl.default.ssl_options.keyfile":              `"/etc/citygrid/tls/broker.key"`,
		"listeners.ssl.default.ssl_options.cacertfile":           `"/etc/citygrid/tls/ca.crt"`,
		"listeners.ssl.default.ssl_options.verify":               "verify_peer",
		"listeners.ssl.default.ssl_options.fail_if_no_peer_cert": "true",
		"listeners.ssl.default.ssl_options.versions":             `["tlsv1.3"]`,
		"mqtt.peer_cert_as_username":                             "cn", "mqtt.peer_cert_as_clientid": "cn",
		"mqtt.max_packet_size": "1MB", "mqtt.max_mqueue_len": "infinity", "mqtt.max_inflight": "4000",
		"mqtt.session_expiry_interval": "7d", "mqtt.retry_interval": "30s", "mqtt.shared_subscription": "false",
		"authorization.no_match": "deny", "authorization.deny_action": "ignore",
		"authorization.sources": `[ { type = file, enable = true, path = "etc/acl.conf" } ]`,
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	for key := range got {
		if _, known := want[key]; !known {
			t.Errorf("unknown key %s", key)
		}
	}
}

var hoconLine = regexp.MustCompile(`^([a-z_.]+)(?: = (.+)| \{)$`)

// readHOCON reads the part of HOCON that the file is written in: one key a line, "key = value"
// or "key {", and "}".
func readHOCON(text string) (map[string]string, error) {
	out, path := map[string]string{}, []string(nil)
	for n, line := range strings.Split(text, "\n") {
		if line, _, _ = strings.Cut(strings.TrimSpace(line), " #"); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line == "}" {
			if len(path) == 0 {
				return nil, fmt.Errorf("line %d closes nothing", n+1)
			}
			path = path[:len(path)-1]
			continue
		}
		m := hoconLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: %q", n+1, line)
		}
		if m[2] == "" {
			path = append(path, m[1])
			continue
		}
		key := strings.Join(append(slices.Clone(path), m[1]), ".")
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("line %d: %s stands twice", n+1, key)
		}
		out[key] = m[2]
	}
	if len(path) > 0 {
		return nil, fmt.Errorf("%v is not closed", path)
	}
	return out, nil
}
