package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// The bounds of a question for requests [GeoReport v2, GET Service Requests, Response
// Volume].
const (
	maxRequests  = 1000
	maxSpan      = 90 * 24 * time.Hour
	maxRequestID = 200 // ids in one question; each case is read
)

// open311Query is a question for requests.
type open311Query struct {
	ids      []string
	services []codes.Ref // of service_code; empty for all
	from, to time.Time
	open     bool
	closed   bool
	first    int // how many to pass over, and how many to give
	size     int
}

// parse reads the parameters; what is not known is passed over. The error is for the
// client.
func (s *open311) parse(v url.Values) (q open311Query, err error) {
	if q.ids = list311(v["service_request_id"]); len(q.ids) > 0 {
		if len(q.ids) > maxRequestID {
			return q, fmt.Errorf("service_request_id: %d, want at most %d; ask several times", len(q.ids), maxRequestID)
		}
		return q, nil // it overrides all others
	}
	for _, code := range list311(v["service_code"]) {
		k, ok := s.byCode[code]
		if !ok {
			return q, fmt.Errorf("service_code %.128q was not found; services lists them", code)
		}
		q.services = append(q.services, k.Ref)
	}
	for _, status := range list311(v["status"]) {
		switch status {
		case "open":
			q.open = true
		case "closed":
			q.closed = true
		default:
			return q, fmt.Errorf("status %.40q: want open or closed", status)
		}
	}
	if q.first, q.size, err = pageOf(v); err != nil {
		return q, err
	}
	q.from, q.to, err = s.span(v.Get("start_date"), v.Get("end_date"))
	return q, err
}

// list311 cuts lists with commas, given once or several times.
func list311(values []string) (list []string) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one != "" && !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	return list
}

// pageOf reads page and page_size, which many servers have beside the specification.
func pageOf(v url.Values) (first, size int, err error) {
	page := 1
	size = maxRequests
	for name, into := range map[string]*int{"page": &page, "page_size": &size} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		if *into, err = strconv.Atoi(text); err != nil || *into < 1 || *into > maxRequests {
			return 0, 0, fmt.Errorf("%s %.40q: want 1 to %d", name, text, maxRequests)
		}
	}
	return (page - 1) * size, size, nil
}

// span is the range of a question: of the last 90 days where neither end is given, 90
// days long where one is.
func (s *open311) span(start, end string) (from, to time.Time, err error) {
	if from, err = s.moment(start); err != nil {
		return from, to, fmt.Errorf("start_date %.60q: %w", start, err)
	}
	if to, err = s.moment(end); err != nil {
		return from, to, fmt.Errorf("end_date %.60q: %w", end, err)
	}
	switch {
	case from.IsZero() && to.IsZero():
		to = s.o.Now().UTC()
		from = to.Add(-maxSpan)
	case from.IsZero():
		from = to.Add(-maxSpan)
	case to.IsZero():
		to = from.Add(maxSpan)
	}
	if to.Before(from) || to.Sub(from) > maxSpan {
		return from, to, errors.New("start_date and end_date: the range must not end before it begins, and span at most 90 days")
	}
	if len(end) == len(time.DateOnly) {
		return from, to.In(s.o.Zone).AddDate(0, 0, 1).UTC(), nil // all of that day
	}
	return from, to.Add(time.Millisecond), nil // end_date itself is in it
}

// moment reads a date of the W3C note [www.w3.org/TR/NOTE-datetime]. A client that
// forgot to escape "+" sends a blank; a day without time is one of the city.
func (s *open311) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if n := len(text) - len(" 08:00"); n > 0 && text[n] == ' ' {
		text = text[:n] + "+" + text[n+1:]
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, s.o.Zone); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
		return t.UTC(), nil
	}
	return time.Time{}, errors.New("want the W3C form with a zone, such as 2026-11-23T00:00:00Z")
}

func (s *open311) list(a *answer, r *http.Request) {
	q, err := s.parse(r.URL.Query())
	if err != nil {
		a.fail(http.StatusBadRequest, err.Error())
		return
	}
	ctx := r.Context()
	body := requestsBody{}
	if len(q.ids) > 0 {
		for _, id := range q.ids {
			k, err := s.find(ctx, id)
			if err != nil {
				s.fault(ctx, a, "read requests", err)
				return
			}
			if k != nil {
				body = append(body, s.requestOf(ctx, k))
			}
		}
		a.write(body)
		return
	}
	found, err := s.search(ctx, &q)
	if err != nil {
		s.fault(ctx, a, "list requests", err)
		return
	}
	for n := range found {
		body = append(body, s.requestIn(ctx, &found[n]))
	}
	a.write(body)
}

// search returns what q asks for, the latest first.
func (s *open311) search(ctx context.Context, q *open311Query) ([]desk.Summary, error) {
	most := min(q.first+q.size, maxRequests)
	prefixes := s.o.Open311.Classes
	if len(q.services) > 0 {
		prefixes = nil
		for _, r := range q.services {
			prefixes = append(prefixes, r.String())
		}
	}
	var all []desk.Summary
	for _, class := range prefixes {
		some, err := s.searchClass(ctx, q, class, most)
		if err != nil {
			return nil, err
		}
		all = latest(append(all, some...), most)
	}
	return all[min(q.first, len(all)):], nil
}

// latest keeps the latest, each once.
func latest(list []desk.Summary, most int) []desk.Summary {
	slices.SortFunc(list, func(a, b desk.Summary) int { return cmp.Compare(b.Number, a.Number) })
	list = slices.CompactFunc(list, func(a, b desk.Summary) bool { return a.Number == b.Number })
	return list[:min(len(list), most)]
}

// searchClass returns the latest of one class, or of those that begin so.
func (s *open311) searchClass(ctx context.Context, q *open311Query, class string, most int) ([]desk.Summary, error) {
	f := desk.Filter{Class: class, Since: q.from, Until: q.to, Limit: maxCasePage}
	if q.open && !q.closed {
		f.Open = true
	}
	if q.closed && !q.open {
		f.States = slices.DeleteFunc(cases.States(), func(st cases.State) bool { return !st.Final() })
	}
	var out []desk.Summary
	for {
		page, err := s.o.Desk.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for n := range page {
			if s.isPublic(page[n].Class, page[n].Source) && s.asked(q, page[n].Class) {
				out = append(out, page[n])
			}
		}
		if len(page) < maxCasePage || len(out) >= most {
			return out[:min(len(out), most)], nil
		}
		f.Before = page[len(page)-1].Number
	}
}

// asked: the desk takes a class as the beginning of one.
func (s *open311) asked(q *open311Query, class codes.Ref) bool {
	return len(q.services) == 0 || slices.Contains(q.services, class)
}

func (s *open311) one(a *answer, r *http.Request, id string) {
	if k, ok := s.public311(a, r.Context(), id); ok {
		a.write(requestsBody{s.requestOf(r.Context(), k)})
	}
}

// public311 returns a case that anybody may see, or answers that there is none.
func (s *open311) public311(a *answer, ctx context.Context, id string) (*cases.Case, bool) {
	k, err := s.find(ctx, id)
	switch {
	case err != nil:
		s.fault(ctx, a, "read a request", err)
	case k == nil:
		a.fail(http.StatusNotFound, fmt.Sprintf("service_request_id %.80q was not found", id))
	}
	return k, k != nil
}

var caseIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,40}$`)

// find returns a case that anybody may see, nil for none.
func (s *open311) find(ctx context.Context, id string) (*cases.Case, error) {
	if !caseIDForm.MatchString(id) {
		return nil, nil
	}
	k, err := s.o.Desk.Case(ctx, cases.CaseID(id))
	if errors.Is(err, desk.ErrUnknown) {
		return nil, nil
	}
	if err != nil || !s.isPublic(k.Class, k.Report.Source) {
		return nil, err
	}
	return k, nil
}

// publicCase is what a request shows; the two ways to a case fill it.
type publicCase struct {
	id, duplicateOf             cases.CaseID
	state                       cases.State
	class                       codes.Ref
	className                   string
	source                      cases.Source
	description, location       string
	component                   schemas.ComponentID
	cell                        codes.CellCode
	handler                     cases.DepartmentID
	reported, updated, deadline time.Time
	position                    schemas.Position
}

// requestIn is a case of a list.
func (s *open311) requestIn(ctx context.Context, c *desk.Summary) requestBody {
	return s.request(ctx, &publicCase{id: c.ID, duplicateOf: c.DuplicateOf, state: c.State, class: c.Class, className: c.ClassName, source: c.Source,
		description: c.Description, location: c.Location, component: c.Component, cell: c.Cell, handler: c.Handler,
		reported: c.Reported, updated: c.Since, deadline: c.Handling.Deadline, position: c.Position})
}

// requestOf is a case by its journal.
func (s *open311) requestOf(ctx context.Context, k *cases.Case) requestBody {
	p := &publicCase{id: k.ID, duplicateOf: k.DuplicateOf, state: k.State, class: k.Class, className: k.ClassName, source: k.Report.Source,
		description: k.Report.Description, location: k.Report.Location, component: k.Report.Component, cell: k.Cell, handler: k.Handler,
		reported: k.ReportedAt, updated: k.Since, position: k.Report.Position}
	if s.o.Limits != nil {
		if h, err := s.o.Limits.Handling(k.Limit, k.Clock, k.ReceivedAt); err == nil {
			p.deadline = h.Deadline
		}
	}
	return s.request(ctx, p)
}

// request is what anybody may see of a case: nobody's name, no person of the staff, no
// reason that somebody wrote. Descriptions are those that came by the web, whose
// writers were told that they are published; numbers and addresses in them are taken
// out.
func (s *open311) request(ctx context.Context, p *publicCase) requestBody {
	b := requestBody{
		ID: string(p.id), Status: "open", Name: p.className, Code: ServiceCode(p.class), Requested: w3c(p.reported), Updated: w3c(p.updated), Expected: none(w3c(p.deadline)),
		AddressID: none(orElse(string(p.component), string(p.cell))), Address: none(withoutContacts(p.location)),
	}
	if p.source == cases.SourceWeb {
		b.Description = none(withoutContacts(p.description))
	}
	if p.handler != "" && s.o.DepartmentName != nil {
		b.Agency = none(s.o.DepartmentName(ctx, p.handler))
	}
	if p.state.Final() {
		b.Status, b.StatusNotes = "closed", none(closingNote(p))
	}
	if p.position.Known() && p.position.CRS != schemas.GCJ02 { // CGCS2000 and WGS84 agree within a metre
		b.Lat, b.Long = degree{p.position.Lat, true}, degree{p.position.Lon, true}
	}
	return b
}

func closingNote(p *publicCase) string {
	switch {
	case p.state == cases.Closed:
		return "已处置并核查 / Handled and checked."
	case p.state == cases.Rejected && p.duplicateOf != "":
		return "重复上报 / Duplicate request."
	case p.state == cases.Rejected:
		return "不予受理 / Not taken up."
	}
	return "作废 / Withdrawn."
}

// w3c writes a moment, empty for none.
func w3c(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// contacts are mail addresses, and numbers that one could call or that name a person.
var contacts = regexp.MustCompile(`[^\s@,;:，。；：、]+@[^\s@,;:，。；：、]+|\p{Nd}(?:[\s.–—-]{0,2}\p{Nd}){6,}[Xx]?`)

// withoutContacts takes out of a text by what its writer could be reached.
func withoutContacts(s string) string { return contacts.ReplaceAllString(s, "***") }
