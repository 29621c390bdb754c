package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"citygrid/schemas"

	"github.com/danielgtaylor/huma/v2"
)

// Limits of the live stream.
const (
	// MaxStreams bounds the clients of one hub.
	MaxStreams      = 256
	streamTick      = time.Second
	streamHeartbeat = 15 * time.Second
	// streamPatience is how long a client may leave a write waiting.
	streamPatience = 10 * time.Second
)

// MetersEvent is the data of the event "meters": the rows of the client's
// selection that changed. The first of a stream is complete.
type MetersEvent struct {
	At    time.Time `json:"at"`
	Full  bool      `json:"full" doc:"True for the first event of a stream: forget what you had"`
	Total int       `json:"total"`
	Next  string    `json:"next,omitempty"`
	// Order lists the ids of the page; it is absent when it did not change.
	Order []string   `json:"order,omitempty" nullable:"false" doc:"Ids of the page in order; absent when unchanged"`
	Rows  []MeterRow `json:"rows" nullable:"false" doc:"Rows that changed"`
}

// stream serves /api/v1/stream. Each client is served by the goroutine of its
// request. A tick that falls into a slow write is skipped, so a slow client
// gets the latest state and never a backlog.
type stream struct {
	live    *Live
	flow    *flowMeter
	cache   pageCache
	places  streamPlaces
	max     int
	closing <-chan struct{}
}

// pageCache lets clients of the same selection share the work of a second, and
// keeps the search of the table to one at a time.
type pageCache struct {
	mu    sync.Mutex
	at    time.Time
	pages map[MeterQuery]MeterPage
}

// get returns the page of q, at most a second old. The caller must not change
// its rows.
func (c *pageCache) get(live *Live, q MeterQuery, now time.Time) (MeterPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil || now.Sub(c.at) >= sampleAge {
		c.pages, c.at = make(map[MeterQuery]MeterPage), now
	}
	if page, ok := c.pages[q]; ok {
		return page, nil
	}
	page, err := live.Meters(q)
	if err == nil {
		c.pages[q] = page
	}
	return page, err
}

func describeStream(api huma.API) {
	text := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	registry := api.OpenAPI().Components.Schemas
	event := registry.Schema(reflect.TypeFor[MetersEvent](), true, "")
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: "/api/v1/stream",
		Summary:     "Live state as server-sent events",
		Description: "Event `flow` carries a Flow each second. Event `meters` carries a MetersEvent for the selection: complete at first, then only the rows that changed. Take the same parameters as for /api/v1/meters.",
		Parameters: []*huma.Param{
			text("medium", "As for /api/v1/meters"), text("q", "As for /api/v1/meters"),
			text("area", "As for /api/v1/meters"), text("quality", "As for /api/v1/meters"), text("state", "As for /api/v1/meters"),
			text("sort", "As for /api/v1/meters"), text("cursor", "As for /api/v1/meters"),
			text("limit", "As for /api/v1/meters; at most 200"),
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "The stream", Content: map[string]*huma.MediaType{
				"text/event-stream": {Schema: &huma.Schema{OneOf: []*huma.Schema{event, registry.Schema(reflect.TypeFor[Flow](), true, "")}}},
			}},
			"default": problemResponse(api),
		},
	})
}

func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := streamQuery(r.URL.Query())
	if err != nil {
		problem(http.StatusUnprocessableEntity, codeInvalid, err.Error()).write(w)
		return
	}
	if _, err := s.live.Meters(q); err != nil {
		problem(http.StatusBadRequest, codeCursor, err.Error()).write(w)
		return
	}
	holder, most := holderOf(visitOf(r.Context()))
	give, full := s.places.take(holder, most, s.max)
	if full != nil {
		w.Header().Set("Retry-After", "10")
		full.write(w)
		return
	}
	defer give()
	s.serve(w, r, q)
}

func (s *stream) serve(w http.ResponseWriter, r *http.Request, q MeterQuery) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // or nginx holds events back
	w.WriteHeader(http.StatusOK)
	c := client{stream: s, query: q, out: http.NewResponseController(w), w: w}
	c.buf.WriteString("retry: 2000\n\n")
	ticker := time.NewTicker(streamTick)
	defer ticker.Stop()
	still := visitOf(r.Context()).lasting(s.live.now())
	for !s.ended(r.Context()) && still(r.Context(), s.live.now()) { // a slow client always has a tick waiting
		c.compose(s.live.now())
		if err := c.send(); err != nil {
			return // the client has gone
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		case <-ticker.C:
		}
	}
}

// ended says whether the client has gone or the hub is closing.
func (s *stream) ended(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-s.closing:
		return true
	default:
		return false
	}
}

// client is the state of one stream: what it has been told.
type client struct {
	*stream
	query  MeterQuery
	out    *http.ResponseController
	w      http.ResponseWriter
	buf    bytes.Buffer
	id     uint64
	told   map[string]string // meter -> its row as sent
	order  []string
	total  int
	next   string
	beaten time.Time
}

// compose writes what the client has to be told now into its buffer.
func (c *client) compose(now time.Time) {
	if now.Sub(c.beaten) >= streamHeartbeat {
		c.buf.WriteString(": still here\n\n")
		c.beaten = now
	}
	c.event("flow", c.flow.Flow())
	page, err := c.cache.get(c.live, c.query, now)
	if err != nil { // the query was checked when the stream began
		return
	}
	if e, ok := c.delta(page); ok {
		c.event("meters", e)
	}
}

// delta returns what changed in the page since the client was last told.
func (c *client) delta(page MeterPage) (MetersEvent, bool) {
	e := MetersEvent{At: page.At, Full: c.told == nil, Total: page.Total, Next: page.Next, Rows: []MeterRow{}}
	order := make([]string, 0, len(page.Rows))
	told := make(map[string]string, len(page.Rows))
	for _, row := range page.Rows {
		order = append(order, row.ID)
		text, err := json.Marshal(row)
		if err != nil { // a row holds only strings and times
			continue
		}
		told[row.ID] = string(text)
		if c.told[row.ID] != told[row.ID] {
			e.Rows = append(e.Rows, row)
		}
	}
	if e.Full || !slices.Equal(order, c.order) {
		e.Order = order
	}
	changed := e.Full || e.Order != nil || len(e.Rows) > 0 || c.total != e.Total || c.next != e.Next
	c.told, c.order, c.total, c.next = told, order, e.Total, e.Next
	return e, changed
}

func (c *client) event(name string, data any) {
	text, err := json.Marshal(data)
	if err != nil { // the types of events hold nothing that JSON cannot say
		return
	}
	c.id++
	fmt.Fprintf(&c.buf, "event: %s\nid: %d\ndata: %s\n\n", name, c.id, text)
}

// send writes the buffer out, within streamPatience.
func (c *client) send() error {
	// A writer without deadlines (a test, an unusual server) still works.
	_ = c.out.SetWriteDeadline(time.Now().Add(streamPatience))
	if _, err := c.w.Write(c.buf.Bytes()); err != nil {
		return err
	}
	c.buf.Reset()
	return c.out.Flush()
}

// streamQuery reads the selection of a stream, as strictly as the list does.
func streamQuery(v url.Values) (MeterQuery, error) {
	q := MeterQuery{Sort: "meter", Limit: 50}
	for name, values := range v {
		value := values[0]
		var err error
		switch name {
		case "medium":
			q.Medium = schemas.Medium(value)
			err = oneOf(name, value, "", "water", "power", "gas", "device")
		case "quality":
			q.Quality = value
			err = oneOf(name, value, "", "good", "suspect", "missing", "none")
		case "state":
			q.State = value
			err = oneOf(name, value, "", stateAnswering, stateLate, stateFailing)
		case "sort":
			q.Sort = value
			err = oneOf(name, value, "meter", "-meter", "taken_at", "-taken_at", "value", "-value", "quality")
		case "q":
			q.Search = value
			err = tooLong(name, value, 64)
		case "area":
			q.Area = value
			if !areaForm.MatchString(value) {
				err = errors.New("area: want the code of a cell or area")
			}
		case "cursor":
			q.Cursor = value
			err = tooLong(name, value, 400)
		case "limit":
			q.Limit, err = strconv.Atoi(value)
			if err != nil || q.Limit < 1 || q.Limit > MaxPage {
				err = fmt.Errorf("limit: want a whole number from 1 to %d", MaxPage)
			}
		default:
			err = fmt.Errorf("unknown query parameter %q", name)
		}
		if err != nil {
			return MeterQuery{}, err
		}
	}
	return q, nil
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: want one of %s", name, strings.Join(allowed, " "))
}

func tooLong(name, value string, limit int) error {
	if len(value) <= limit {
		return nil
	}
	return fmt.Errorf("%s: want at most %d bytes", name, limit)
}
