package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// The bounds of a new request.
const (
	maxForm         = 64 << 10
	formTime        = 20 * time.Second
	maxDescription  = 4000 // characters [GeoReport v2, POST Service Request]
	maxFormFields   = 100
	maxMediaAddress = 1000
)

// post takes a new request.
func (s *open311) post(a *answer, r *http.Request, form url.Values) {
	client, ok := "", false
	if key := form.Get("api_key"); key != "" && s.o.Open311.Keys != nil {
		client, ok = s.o.Open311.Keys.Client(key)
	}
	switch {
	case !ok:
		a.fail(http.StatusForbidden, "the api_key is missing or not known; ask the city's operation centre for one")
		return
	case s.wrongJurisdiction(a, form.Get("jurisdiction_id")):
		return
	case form.Get("service_code") == "":
		a.fail(http.StatusBadRequest, "service_code was not provided; services lists them")
		return
	}
	class, ok := s.byCode[form.Get("service_code")]
	if !ok {
		a.fail(http.StatusNotFound, fmt.Sprintf("service_code %.128q was not found; services lists them", form.Get("service_code")))
		return
	}
	sub, err := s.submission(form, &class, client)
	if err != nil {
		s.refuse(r.Context(), a, err)
		return
	}
	id, err := s.once(r.Context(), client, form, sub)
	if err != nil {
		s.refuse(r.Context(), a, err)
		return
	}
	a.write(createdBody{{ID: string(id), Account: none(shortLine(form.Get("account_id")))}})
}

// readForm reads a form of either kind, without files.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTime)) // the network's own clock; a test's recorder has none
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case err == nil && kind == "multipart/form-data":
		err = r.ParseMultipartForm(maxForm)
		if err == nil && len(r.MultipartForm.File) > 0 {
			err = errors.Join(errors.New("files are not taken here; give the address of the photo in media_url"), r.MultipartForm.RemoveAll())
		}
	default:
		err = errors.New("want Content-Type: application/x-www-form-urlencoded; charset=utf-8")
	}
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, fmt.Errorf("the form has more than %d bytes; shorten the description", maxForm)
	case err != nil:
		return nil, fmt.Errorf("the form cannot be read: %w", err)
	case len(r.Form) > maxFormFields:
		return nil, fmt.Errorf("the form has %d fields, want at most %d", len(r.Form), maxFormFields)
	}
	for name, values := range r.Form {
		for _, v := range append(values, name) {
			if !utf8.ValidString(v) {
				return nil, fmt.Errorf("%.60q is not in UTF-8; send charset=utf-8", name)
			}
		}
	}
	return r.Form, nil
}

// refuse answers what was wrong with a request, each fault apart.
func (s *open311) refuse(ctx context.Context, a *answer, err error) {
	fields := fieldErrors(err)
	if len(fields) == 0 {
		s.fault(ctx, a, "take a request", err)
		return
	}
	var list []string
	for _, f := range fields {
		list = append(list, field311(f.Field)+": "+f.Problem)
	}
	a.fail(http.StatusBadRequest, list...)
}

// field311 is the parameter that a field of the journal came from.
func field311(field string) string {
	names := map[string]string{"report.description": "description", "report.location": "lat, long, address_string or address_id", "report.position.lon": "long",
		"report.position.lat": "lat", "report.component": "address_id", "text": "description, media_url and attribute", "name": "first_name and last_name"}
	if name, ok := names[field]; ok {
		return name
	}
	return field
}

func field(name, format string, args ...any) error {
	return &schemas.FieldError{Field: name, Problem: fmt.Sprintf(format, args...)}
}

// submission is the desk's form of a request: a report of source web by the client
// program, with who sent it kept apart. The program's own ids of devices and accounts
// name people and are not kept.
func (s *open311) submission(form url.Values, class *codes.Class, client string) (desk.Submission, error) {
	report := &cases.Report{Source: cases.SourceWeb, Type: cases.Daily, Class: class.Ref, Urgency: cases.Normal}
	e := cases.Entry{Act: cases.ActReport, Actor: cases.Actor{Person: cases.PersonID(clientPrefix + client), Role: cases.Public}, Report: report}
	rest, err := description(form.Get("description"), report)
	if err != nil {
		return desk.Submission{}, err
	}
	if e.Text, err = moreText(rest, form); err != nil {
		return desk.Submission{}, err
	}
	if err := s.where(form, report); err != nil {
		return desk.Submission{}, err
	}
	sub := desk.Submission{Entry: e}
	name, phone, email := nameOf(form), shortLine(form.Get("phone")), shortLine(form.Get("email"))
	if name+phone+email != "" {
		sub.Petitioner, err = s.o.petitioner(name, phone, email)
	}
	return sub, err
}

// description puts in what a case takes of it, and returns the rest.
func description(text string, r *cases.Report) (rest string, err error) {
	text = cleanText(text)
	if text == "" {
		return "", field("report.description", "missing; say what is wrong")
	}
	runes := []rune(text)
	if len(runes) > maxDescription {
		return "", field("report.description", "%d characters, want at most %d", len(runes), maxDescription)
	}
	cut := min(len(runes), cases.MaxDescription)
	r.Description = strings.TrimSpace(string(runes[:cut]))
	return strings.TrimSpace(string(runes[cut:])), nil
}

// cleanText takes out what no text of the journal has.
func cleanText(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// shortLine is a text on one line with single blanks.
func shortLine(s string) string { return strings.Join(strings.Fields(cleanText(s)), " ") }

// moreText is what belongs to a request beside its description: the end of a long one,
// an address of a photo, which is not fetched, and attributes.
func moreText(rest string, form url.Values) (string, error) {
	var lines []string
	if rest != "" {
		lines = append(lines, rest)
	}
	if media := strings.TrimSpace(form.Get("media_url")); media != "" {
		u, err := url.Parse(media)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(media) > maxMediaAddress {
			return "", field("media_url", "%.80q, want an address that begins with http:// or https://, of at most %d characters", media, maxMediaAddress)
		}
		lines = append(lines, "media_url: "+shortLine(media))
	}
	var names []string
	for name := range form {
		if strings.HasPrefix(name, "attribute[") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		code, end, ok := strings.Cut(strings.TrimPrefix(name, "attribute["), "]")
		if !ok || code == "" || end != "" && end != "[]" {
			return "", field("attribute", "%.80q, want attribute[code], or attribute[code][] for several values", name)
		}
		for _, v := range form[name] {
			if v = shortLine(v); v != "" {
				lines = append(lines, shortLine(code)+": "+v)
			}
		}
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	if n := utf8.RuneCountInString(text); n > cases.MaxText {
		return "", field("text", "%d characters beyond the first %d of the description, want at most %d", n, cases.MaxDescription, cases.MaxText)
	}
	return text, nil
}

// nameOf joins the two names as people write them: Chinese without a blank, the family
// name first.
func nameOf(form url.Values) string {
	first, last := shortLine(form.Get("first_name")), shortLine(form.Get("last_name"))
	han := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
	}
	if han(first) || han(last) {
		return last + first
	}
	return strings.TrimSpace(first + " " + last)
}

// where puts in the place: lat and long in WGS84, words, or the id of a component or
// cell.
func (s *open311) where(form url.Values, r *cases.Report) error {
	lat, long := strings.TrimSpace(form.Get("lat")), strings.TrimSpace(form.Get("long"))
	if lat != "" || long != "" {
		y, err := coordinate("lat", lat)
		if err != nil {
			return err
		}
		x, err := coordinate("long", long)
		if err != nil {
			return err
		}
		r.Position = schemas.Position{Lon: x, Lat: y, CRS: schemas.WGS84}
		if err := r.Position.Validate(); err != nil {
			return field("lat, long", "%v", err)
		}
	}
	r.Location = shortLine(form.Get("address_string"))
	if n := utf8.RuneCountInString(r.Location); n > cases.MaxLocation {
		return field("address_string", "%d characters, want at most %d", n, cases.MaxLocation)
	}
	id := strings.TrimSpace(form.Get("address_id"))
	switch {
	case id == "":
	case !caseIDForm.MatchString(id):
		return field("address_id", "%.60q, want the id of a component or the code of a cell", id)
	case codes.CellCode(id).Validate() == nil:
		r.Location = orElse(r.Location, "单元网格 "+id)
	default:
		r.Component = schemas.ComponentID(id)
	}
	if !r.Position.Known() && r.Location == "" && r.Component == "" {
		return field("lat, long, address_string or address_id", "missing; give lat and long, or one of the two others")
	}
	return nil
}

func coordinate(name, text string) (float64, error) {
	if text == "" {
		return 0, field(name, "missing; lat and long go together")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v != v {
		return 0, field(name, "%.40q, want degrees such as 30.2742", text)
	}
	return v, nil
}

// once does a request that its client has not sent within repeatFor, and answers one
// that it has as it did then. It outlives a restart of the hub where both fall into
// one stretch of that length, by the client id of the journal.
func (s *open311) once(ctx context.Context, client string, form url.Values, sub desk.Submission) (cases.CaseID, error) {
	key, err := digestOf(client, form)
	if err != nil {
		return "", err
	}
	now := s.o.Now()
	place := s.recent.post(key, now)
	place.mu.Lock()
	defer place.mu.Unlock()
	if place.id != "" {
		return place.id, nil
	}
	sub.Entry.ClientID = clientID(key, now)
	list, err := s.o.Desk.ActAll(ctx, []desk.Submission{sub})
	if err == nil {
		err = list[0].Err
	}
	if err != nil {
		return "", err
	}
	place.id = list[0].Case.ID
	return place.id, nil
}

// digestOf is of all that a client sent but its key.
func digestOf(client string, form url.Values) (key [sha256.Size]byte, err error) {
	sent := map[string][]string{}
	for name, values := range form {
		if name != "api_key" {
			sent[name] = values
		}
	}
	data, err := json.Marshal([]any{client, sent})
	return sha256.Sum256(data), err
}

// clientID is a UUID of the form for such digests [RFC 9562 5.8] of the request and the
// stretch of repeatFor that now lies in.
func clientID(key [sha256.Size]byte, now time.Time) string {
	h := sha256.New()
	h.Write(key[:])
	_ = binary.Write(h, binary.BigEndian, now.Unix()/int64(repeatFor/time.Second)) // a digest takes all
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
