package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/indicators"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// town is a hub that keeps cases: the real desk on a file, with a small register.
type town struct {
	desk    *desk.Desk
	handler http.Handler
	media   *memoryMedia
	lists   *codes.Lists
	rules   cases.Rules
	book    *limits.Book

	mu  sync.Mutex
	now time.Time
}

const (
	coverClass = "CJ/T 214-2007:component:0101"
	gasClass   = "CJ/T 214-2007:component:0111"
	oneCell    = "330106001001001"
)

var (
	monday   = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC) // 09:00 in the city
	cityZone = time.FixedZone("CST", 8*3600)
)

func (tn *town) clock() time.Time {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	return tn.now
}

func (tn *town) pass(d time.Duration) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.now = tn.now.Add(d)
}

// register answers for a cell around 120.1, 30.2 and the component C-1.
type register struct{}

func (register) OfMeter(context.Context, schemas.MeterID, time.Time) (desk.Place, error) {
	return desk.Place{}, nil
}

func (register) OfLine(context.Context, schemas.CollectorID, string) (desk.Place, error) {
	return desk.Place{}, nil
}

func (register) OfComponent(_ context.Context, id schemas.ComponentID) (desk.Place, error) {
	if id != "C-1" {
		return desk.Place{}, nil
	}
	return desk.Place{Component: id, Location: "人民路 18 号", Position: schemas.Position{Lon: 120.1, Lat: 30.2, CRS: schemas.CGCS2000}, Cell: oneCell, Departments: []cases.DepartmentID{"water"}}, nil
}

func (register) At(_ context.Context, p schemas.Position) (desk.Place, error) {
	if p.Lon < 120 || p.Lon > 120.2 || p.Lat < 30.1 || p.Lat > 30.3 {
		return desk.Place{}, nil
	}
	p.CRS = schemas.CGCS2000
	return desk.Place{Position: p, Cell: oneCell}, nil
}

func (register) Candidates(context.Context, codes.Ref) ([]cases.DepartmentID, error) {
	return []cases.DepartmentID{"water", "gas"}, nil
}

// classNames are those of the lists.
type classNames struct{ *codes.Lists }

func (n classNames) OfEvent(schemas.EventKind) (codes.Ref, string, error) {
	return codes.Ref{}, "", errors.New("no events here")
}

func (n classNames) Name(r codes.Ref) (string, error) {
	k, err := n.Lookup(r)
	return k.ZH, err
}

// memoryMedia keeps what begins with "photo"; of "photo+" it takes out the plus.
type memoryMedia struct {
	mu   sync.Mutex
	held map[string][]byte
}

func testDigest(data []byte) string {
	sum := sha256.Sum256(data) // the form is the same as that of SM3
	return hex.EncodeToString(sum[:])
}

func (m *memoryMedia) Most() int64 { return 1 << 10 }

func (m *memoryMedia) Take(_ context.Context, r io.Reader) (MediaObject, error) {
	data, err := io.ReadAll(io.LimitReader(r, m.Most()+1))
	switch {
	case err != nil:
		return MediaObject{}, err
	case int64(len(data)) > m.Most():
		return MediaObject{}, fmt.Errorf("photo: %w", ErrMediaTooLarge)
	case len(data) == 0:
		return MediaObject{}, fmt.Errorf("photo: %w", ErrMediaDamaged)
	case !bytes.HasPrefix(data, []byte("photo")):
		return MediaObject{}, fmt.Errorf("text: %w", ErrMediaType)
	}
	kept := bytes.ReplaceAll(data, []byte("+"), nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[testDigest(kept)] = kept
	return MediaObject{SM3: testDigest(kept), Original: testDigest(data), Kind: cases.Image, Type: "image/jpeg", Size: int64(len(kept)),
		Position: schemas.Position{Lon: 120.1, Lat: 30.2, CRS: schemas.WGS84}}, nil
}

func (m *memoryMedia) Open(_ context.Context, sm3 string) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.held[sm3]
	if !ok {
		return nil, "", fmt.Errorf("media %s: %w", sm3, ErrMediaAbsent)
	}
	return data, "image/jpeg", nil
}

// tallies counts by the real indicators over the desk's journals.
type tallies struct {
	tn *town
}

func (c tallies) Rows(ctx context.Context, periods []indicators.Period) ([]indicators.Row, error) {
	t, err := indicators.New(indicators.Config{Book: c.tn.book, Periods: periods, AsOf: c.tn.clock()})
	if err != nil {
		return nil, err
	}
	if err := c.tn.desk.Journals(ctx, t.Add); err != nil {
		return nil, err
	}
	return t.Rows(), nil
}

// crew have the tokens token-NAME. wu has two roles that report; chief leads and keeps
// the register.
func crew() map[string]CasePerson {
	return map[string]CasePerson{
		"ins": {Roles: []cases.Role{cases.Inspector}}, "ins2": {Roles: []cases.Role{cases.Inspector}},
		"acc": {Roles: []cases.Role{cases.Acceptor}}, "lead": {Roles: []cases.Role{cases.ShiftLeader}},
		"dis": {Roles: []cases.Role{cases.Dispatcher}}, "wat": {Roles: []cases.Role{cases.Department}, Department: "water"},
		"gas": {Roles: []cases.Role{cases.Department}, Department: "gas"}, "adm": {Roles: []cases.Role{cases.Admin}},
		"wu": {Roles: []cases.Role{cases.Inspector, cases.Acceptor}},
	}
}

func crewAuth(t testing.TB) CasesAuth {
	t.Helper()
	var list []CaseTokenPerson
	for name, p := range crew() {
		p.ID = cases.PersonID(name)
		list = append(list, CaseTokenPerson{CasePerson: p, Token: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("token-"+name)))})
	}
	auth, err := NewCaseTokens(list)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

const openKey = "key-of-fixmystreet"

func openTown(t testing.TB, change func(*Cases)) *town {
	t.Helper()
	tn := &town{now: monday, media: &memoryMedia{held: map[string][]byte{}}, rules: cases.Rules{Offline: 72 * time.Hour}}
	var err error
	if tn.lists, err = codes.Embedded(); err != nil {
		t.Fatal(err)
	}
	// the sample with a limit for a missing lid
	rule := strings.NewReplacer("CJ/T 214-2007:event:0101", "CJ/T 214-2007:component:0101", "condition: 私搭乱建", "condition: missing", "amount: 15\n    unit: work_day", "amount: 6\n    unit: urgent_hour")
	if tn.book, err = limits.Load([]byte(rule.Replace(string(limits.Sample)))); err != nil {
		t.Fatal(err)
	}
	numbers, err := codes.NewCaseTemplate("{yyyymmdd}{serial:6}", cityZone)
	if err != nil {
		t.Fatal(err)
	}
	tn.desk, err = desk.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "cases.db"), desk.Options{Rules: tn.rules, Grid: register{}, Limits: tn.book, SearchAtOnce: 7,
		Classes: classNames{tn.lists}, Numbers: numbers, Zone: cityZone, Now: tn.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tn.desk.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := NewOpen311Keys([]Open311Key{{Name: "fixmystreet", Token: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(openKey)))}})
	if err != nil {
		t.Fatal(err)
	}
	c := &Cases{
		Auth: crewAuth(t), Desk: tn.desk, Rules: tn.rules, Limits: tn.book, Lists: tn.lists, Media: tn.media, Indicators: tallies{tn}, Zone: cityZone,
		Chance: rand.NewChaCha8([32]byte{1}), Now: tn.clock, DepartmentName: func(_ context.Context, d cases.DepartmentID) string { return "部门 " + string(d) },
		Open311: &Open311{Jurisdiction: "city.example", Classes: []string{"CJ/T 214-2007:component:01", gasClass}, Keys: keys},
	}
	if change != nil {
		change(c)
	}
	o := testOptions()
	o.Cases = c
	if tn.handler, err = New(o); err != nil {
		t.Fatal(err)
	}
	return tn
}

// do asks as somebody; the answer is decoded into out where that is given.
func (tn *town) do(t testing.TB, person, method, target, body string, want int, out any, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if person != "" {
		r.Header.Set("Authorization", "Bearer token-"+person)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	w := httptest.NewRecorder()
	tn.handler.ServeHTTP(w, r)
	if want != 0 && w.Code != want {
		t.Fatalf("%s %s %s as %q: %d %s, want %d", method, target, body, person, w.Code, w.Body, want)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, target, err, w.Body)
		}
	}
	return w
}

const aReport = `{"report":{"class":"` + coverClass + `","description":"井盖丢失","component":"C-1","condition":"missing"}}`

// report makes a case of an inspector and returns its number.
func (tn *town) report(t testing.TB) string {
	t.Helper()
	var d ActDoneJSON
	tn.do(t, "ins", "POST", "/api/v1/cases", aReport, 201, &d)
	return d.Case
}

// act does one act upon a case.
func (tn *town) act(t testing.TB, person, id, body string) {
	t.Helper()
	tn.do(t, person, "POST", "/api/v1/cases/"+id+"/acts", body, 201, nil)
}

// step is an act with all that it needs, and who may do it.
type step struct{ person, body string }

// life is a case from the report to its end.
func life() []step {
	return []step{
		{"acc", `{"act":"accept"}`}, {"lead", `{"act":"file"}`}, {"dis", `{"act":"dispatch","departments":["water","gas"]}`},
		{"wat", `{"act":"take"}`}, {"wat", `{"act":"ask_extension","reason":"等配件","amount":2}`}, {"dis", `{"act":"approve"}`},
		{"wat", `{"act":"feed_back","text":"已更换"}`}, {"acc", `{"act":"send_check","inspector":"ins"}`},
		{"ins", `{"act":"answer_check","outcome":"yes"}`}, {"lead", `{"act":"close"}`},
	}
}
