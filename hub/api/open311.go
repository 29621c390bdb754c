package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
)

// Open311 is the interface GeoReport v2 [wiki.open311.org/GeoReport_v2], by which
// other programs of a city report and read what the public may see. How often a
// client may ask is not bounded here.
type Open311 struct {
	// Jurisdiction is the jurisdiction_id that clients may send; empty: any is taken.
	Jurisdiction string
	// URL is where clients reach the hub, for the discovery, such as https://hub.example;
	// empty: what the request says.
	URL string
	// Classes are those that the public may report and see: classes, or beginnings of
	// them such as "CJ/T 214-2007:component:01".
	Classes []string
	// Keys knows the clients that may report; nil: nobody may.
	Keys Open311Keys
}

// Open311Keys says whose an api_key is.
type Open311Keys interface {
	// Client returns ok false for a key that nobody has.
	Client(key string) (name string, ok bool)
}

// Open311Key is a client program with the digest of its key, as TokenPerson has it.
type Open311Key struct{ Name, Token string }

type open311Keys struct{ tokenTable[string] }

// Client compares with every key.
func (k open311Keys) Client(key string) (string, bool) { return k.find(key) }

// clientPrefix begins the person as which a client program stands in the journal.
const clientPrefix = "open311@"

// NewOpen311Keys returns the Open311Keys of a configuration. A name stands in the
// journal of cases: it is 1 to 24 of 0-9 A-Z a-z _ . -.
func NewOpen311Keys(list []Open311Key) (Open311Keys, error) {
	var table open311Keys
	for _, k := range list {
		if k.Name == "" || strings.Contains(k.Name, "@") || !isPersonID(clientPrefix+k.Name) {
			return nil, fmt.Errorf("open311 key %q: want a name of 1 to 24 of 0-9 A-Z a-z _ . -", k.Name)
		}
		if err := table.add(k.Token, k.Name, func(other string) bool { return strings.EqualFold(other, k.Name) }); err != nil {
			return nil, fmt.Errorf("open311 key %s: %w", k.Name, err)
		}
	}
	return table, nil
}

const (
	open311Path = "/open311/v2/"
	// open311Spec names the specification in the discovery.
	open311Spec = "http://wiki.open311.org/GeoReport_v2"
	// open311AtOnce is how many questions go at once; what is beyond waits.
	open311AtOnce = 4
)

// open311 serves the interface.
type open311 struct {
	o      *Cases
	log    *slog.Logger
	begun  time.Time
	public []codes.Class // that may be reported, in the order of the lists
	byCode map[string]codes.Class
	turns  chan struct{}
	recent recentPosts
}

func newOpen311(o *Cases, log *slog.Logger) (*open311, error) {
	s := &open311{o: o, log: log, begun: o.Now().UTC(), byCode: map[string]codes.Class{}, turns: make(chan struct{}, open311AtOnce)}
	s.recent.held = map[[32]byte]*recentPost{}
	for _, pattern := range o.Open311.Classes {
		found := false
		for _, k := range o.Lists.Search("") {
			if !strings.HasPrefix(k.Ref.String(), pattern) {
				continue
			}
			found = true
			code := ServiceCode(k.Ref)
			if _, twice := s.byCode[code]; !twice && !k.Withdrawn {
				s.byCode[code] = k
				s.public = append(s.public, k)
			}
		}
		if !found || pattern == "" {
			return nil, fmt.Errorf("open311.classes: %q: no list has a class that begins so; look it up with citygrid codes list", pattern)
		}
	}
	if len(s.public) == 0 {
		return nil, errors.New("open311.classes: none; say which classes the public may report")
	}
	slices.SortStableFunc(s.public, func(a, b codes.Class) int { return cmp.Compare(a.Ref.String(), b.Ref.String()) })
	return s, nil
}

// ServiceCode is a class as a service_code, which stands in addresses: digits,
// letters and "-" as they are, "_" for ":", and any other byte as "~" with two
// hexadecimal digits. "CJ/T 214-2007:component:0101" is
// "CJ~2FT~20214-2007_component_0101". It changes only with the class itself.
func ServiceCode(r codes.Ref) string {
	var b strings.Builder
	for _, c := range []byte(r.String()) {
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '-':
			b.WriteByte(c)
		case c == ':':
			b.WriteByte('_')
		default:
			fmt.Fprintf(&b, "~%02X", c)
		}
	}
	return b.String()
}

// isPublic reports whether anybody may see a case. What sensors told is left out even
// of public classes: it may show what goes on in a home.
func (s *open311) isPublic(class codes.Ref, source cases.Source) bool {
	if source == cases.SourceSensor {
		return false
	}
	return slices.ContainsFunc(s.o.Open311.Classes, func(p string) bool { return strings.HasPrefix(class.String(), p) })
}

// ServeHTTP answers one request.
func (s *open311) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	path, format := strings.TrimPrefix(r.URL.Path, open311Path), ""
	if n := strings.LastIndexByte(path, '.'); n >= 0 {
		path, format = path[:n], path[n+1:]
	}
	a := &answer{w: w, json: format == "json"}
	if format != "xml" && format != "json" {
		a.fail(http.StatusNotFound, "want .xml or .json at the end of the address")
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		head.Set("Access-Control-Allow-Origin", "*") // what is here anybody may read
	}
	var form url.Values
	if path == "requests" && r.Method == http.MethodPost {
		var err error
		if form, err = readForm(w, r); err != nil { // before its turn: a slow client keeps nobody waiting
			a.fail(http.StatusBadRequest, err.Error())
			return
		}
	}
	if !inTurn(r.Context(), s.turns, func() { s.route(a, r, path, form) }) {
		head.Set("Retry-After", "30")
		a.fail(http.StatusServiceUnavailable, "the service is busy; try again in a minute")
	}
}

func (s *open311) route(a *answer, r *http.Request, path string, form url.Values) {
	what, id, _ := strings.Cut(path, "/")
	switch {
	case form != nil:
		s.post(a, r, form)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		a.w.Header().Set("Allow", "GET, HEAD")
		a.fail(http.StatusMethodNotAllowed, "this address is only read")
	case what == "discovery" && id == "":
		s.discovery(a, r)
	case s.wrongJurisdiction(a, r.URL.Query().Get("jurisdiction_id")):
	case what == "services" && id == "":
		s.services(a)
	case what == "services":
		s.service(a, id)
	case what == "requests" && id == "":
		s.list(a, r)
	case what == "requests":
		s.one(a, r, id)
	case what == "tokens" && id != "":
		s.token(a, r, id)
	default:
		a.fail(http.StatusNotFound, "there is no such resource; want discovery, services, requests or tokens")
	}
}

func (s *open311) wrongJurisdiction(a *answer, given string) bool {
	if own := s.o.Open311.Jurisdiction; own != "" && given != "" && given != own {
		a.fail(http.StatusNotFound, fmt.Sprintf("jurisdiction_id %.80q was not found; want %q, or leave it out", given, own))
		return true
	}
	return false
}

func (s *open311) discovery(a *answer, r *http.Request) {
	base := strings.TrimSuffix(s.o.Open311.URL, "/")
	switch {
	case base != "":
	case r.TLS != nil:
		base = "https://" + r.Host
	default:
		base = "http://" + r.Host
	}
	changed := s.begun.Format("2006-01-02 15:04")
	a.write(discoveryBody{
		Changeset: changed, Contact: "The city's operation centre", KeyService: "The city's operation centre gives out keys",
		Endpoints: []endpointBody{{Specification: open311Spec, URL: base + strings.TrimSuffix(open311Path, "/"), Changeset: changed, Type: "production",
			Formats: []string{"text/xml", "application/json"}}},
	})
}

func (s *open311) services(a *answer) {
	body := servicesBody{}
	for n := range s.public {
		k := &s.public[n]
		body = append(body, serviceBody{
			Code: ServiceCode(k.Ref), Name: k.ZH, Description: none(strings.TrimSpace(k.EN + " (" + k.Ref.String() + ")")),
			Type: "realtime", Keywords: none(strings.Join(slices.DeleteFunc([]string{k.EN, k.Utility}, func(w string) bool { return w == "" }), ", ")), Group: none(k.Major.ZH),
		})
	}
	a.write(body)
}

// service answers with a definition: no service asks for attributes.
func (s *open311) service(a *answer, code string) {
	if _, ok := s.byCode[code]; !ok {
		a.fail(http.StatusNotFound, fmt.Sprintf("service_code %.128q was not found; services lists them", code))
		return
	}
	a.write(definitionBody{Code: code})
}

// token answers the flow of servers that give the id later: ours is given at once, and
// is its own token.
func (s *open311) token(a *answer, r *http.Request, token string) {
	if k, ok := s.public311(a, r.Context(), token); ok {
		a.write(tokenBody{{ID: string(k.ID), Token: string(k.ID)}})
	}
}

// fault answers an error that is none of the client's.
func (s *open311) fault(ctx context.Context, a *answer, act string, err error) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		s.log.Error("open311 not answered", "act", act, "error", err)
	}
	a.fail(http.StatusServiceUnavailable, "the cases did not answer; nothing was changed; try again later")
}

// recentPosts knows what clients have sent lately, so that one that sends it again is
// answered as before.
type recentPosts struct {
	mu   sync.Mutex
	held map[[32]byte]*recentPost
}

// recentPost is one request; its lock is held while it is taken.
type recentPost struct {
	mu sync.Mutex
	id cases.CaseID // empty: not taken so far
	at time.Time
}

// repeatFor is how long the same request of the same client is one.
const repeatFor = 10 * time.Minute

// post returns the place of a request, and forgets those that are over.
func (p *recentPosts) post(key [32]byte, now time.Time) *recentPost {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, old := range p.held {
		if now.Sub(old.at) > repeatFor {
			delete(p.held, k)
		}
	}
	one := p.held[key]
	if one == nil {
		one = &recentPost{at: now}
		p.held[key] = one
	}
	return one
}
