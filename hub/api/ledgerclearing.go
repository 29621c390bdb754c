package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// Clearing is the clearing with other cities; every field is required.
type Clearing struct {
	// Home is who we are.
	Home  schemas.IssuerID
	Desk  ClearingDesk
	Files ClearingFiles
}

// ClearingFile is a clearing file of the books, with its answer if there is one.
type ClearingFile struct {
	clearing.Key
	Direction string // "sent" or "received"
	Utility   schemas.Medium
	Sums      clearing.Sums
	Digest    ledger.Digest
	At        time.Time
	By        string
	Answer    *ClearingAnswer
}

// ClearingAnswer is the answer to a ClearingFile.
type ClearingAnswer struct {
	Accepted, Refused clearing.Sums
	Digest            ledger.Digest
	At                time.Time
	By                string
}

// ErrTaken says that the books hold another clearing file under the same name. Its
// text is for the person who asked.
var ErrTaken = errors.New("other content under a name that is taken")

// ClearingDesk makes and takes clearing files.
type ClearingDesk interface {
	// Make makes the files of all rows up to a day that were in none before, and
	// returns what is held back with them.
	Make(ctx context.Context, upto ledger.Day, by string) ([]ClearingFile, []clearing.Held, error)
	// Take takes a partner's file, or its answer to one of ours, by the file's name.
	// repeated says that exactly this one was taken before. The errors are *FileError,
	// *ledger.OtherContentError, ErrTaken, ErrUnknown, ErrRefused and ErrBusy.
	Take(ctx context.Context, u Upload) (file ClearingFile, repeated bool, err error)
}

// ClearingQuery picks clearing files; zero fields pick all.
type ClearingQuery struct {
	Direction     string
	Partner       schemas.IssuerID
	From, To      ledger.Day
	Unanswered    bool
	Limit, Offset int
}

// ClearingFiles are the clearing files of the books.
type ClearingFiles interface {
	// List returns the latest day first, and how many there are in all.
	List(ctx context.Context, q ClearingQuery) (list []ClearingFile, total int, err error)
	// Bytes returns a file or an answer by its name, as it was sent or received.
	Bytes(ctx context.Context, name string) ([]byte, error)
	Net(ctx context.Context, from, to ledger.Day) (clearing.Netting, error)
}

// codeNoIssuer is the problem of a hub that clears nothing.
const codeNoIssuer = "no_issuer"

// registerClearing adds the operations of clearing. heavy bounds those that work on
// whole files.
func (l *ledgerRoutes) registerClearing(api huma.API, heavy huma.Middlewares) {
	ledgerGet(l, api, "ledger-list-clearing", "/api/v1/ledger/clearing/files", "Clearing files with their answers, the latest day first", l.listClearing)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-get-clearing", Method: http.MethodGet, Path: "/api/v1/ledger/clearing/files/{name}",
		Summary: "The bytes of a clearing file or of an answer, as they were sent or received", Middlewares: heavy,
	}, nil, l.getClearing)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-take-clearing", Method: http.MethodPost, Path: "/api/v1/ledger/clearing/files",
		Summary:     "Take a partner's clearing file, or its answer to one of ours",
		Description: "A file is imported, judged by the books and answered in one step, for good; the answer is then got by its name.",
		Middlewares: heavy, MaxBodyBytes: maxUpload, BodyReadTimeout: uploadTime,
	}, []Role{Clerk}, l.postClearing)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-make-clearing", Method: http.MethodPost, Path: "/api/v1/ledger/clearing/made", DefaultStatus: http.StatusCreated,
		Summary:     "Make the clearing files of all sales up to a day that were in none before",
		Middlewares: heavy,
	}, []Role{Reviewer, Approver}, l.makeClearing)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-net-clearing", Method: http.MethodGet, Path: "/api/v1/ledger/clearing/net",
		Summary: "What we owe other cities and are owed, by partner", Middlewares: heavy,
	}, nil, l.getNetting)
}

// clearing returns the clearing of this hub, or the problem that it has none.
func (l *ledgerRoutes) clearing() (*Clearing, error) {
	if l.o.Clearing == nil {
		return nil, problem(http.StatusNotFound, codeNoIssuer, "This hub clears nothing with other cities. Its configuration has no ledger.issuer.")
	}
	return l.o.Clearing, nil
}

// clearingProblem is problemOf with the errors of clearing.
func (l *ledgerRoutes) clearingProblem(ctx context.Context, act string, err error) *Problem {
	if errors.Is(err, ErrTaken) {
		return problem(http.StatusConflict, codeFileTaken, err.Error())
	}
	return l.problemOf(ctx, act, err)
}

// ClearingSumsJSON is count and money of details.
type ClearingSumsJSON struct {
	Count    int    `json:"count"`
	Taken    string `json:"taken" doc:"Money of purchases, yuan" example:"50.00"`
	Returned string `json:"returned" doc:"Money of refunds and reversals, yuan"`
	Net      string `json:"net" doc:"Taken less returned, yuan"`
}

func sumsJSON(s clearing.Sums) ClearingSumsJSON {
	return ClearingSumsJSON{Count: s.Count, Taken: s.Taken.String(), Returned: s.Returned.String(), Net: s.Net().String()}
}

// ClearingAnswerJSON is the answer to a clearing file.
type ClearingAnswerJSON struct {
	Name     string           `json:"name" doc:"Its bytes are had by this name"`
	Accepted ClearingSumsJSON `json:"accepted"`
	Refused  ClearingSumsJSON `json:"refused"`
	SM3      string           `json:"sm3" doc:"Digest of the bytes"`
	At       time.Time        `json:"at"`
	By       string           `json:"by"`
}

// ClearingFileJSON is a clearing file.
type ClearingFileJSON struct {
	Name      string              `json:"name" doc:"Its bytes are had by this name" example:"clearing-33010001-32010002-20261121-001.csv"`
	Direction string              `json:"direction" enum:"sent,received"`
	From      string              `json:"from" doc:"Issuer whose terminals sold"`
	To        string              `json:"to" doc:"Issuer of the cards"`
	Day       string              `json:"day" doc:"Accounting day" example:"2026-11-21"`
	Number    int                 `json:"number" doc:"Of the files between both of that day"`
	Utility   string              `json:"utility" enum:"water,power,gas"`
	Details   ClearingSumsJSON    `json:"details"`
	SM3       string              `json:"sm3" doc:"Digest of the bytes"`
	At        time.Time           `json:"at"`
	By        string              `json:"by"`
	Answer    *ClearingAnswerJSON `json:"answer,omitempty" doc:"Absent while there is none"`
}

// ClearingFileOf writes a clearing file for readers.
func ClearingFileOf(f *ClearingFile) ClearingFileJSON {
	j := ClearingFileJSON{Name: f.FileName(), Direction: f.Direction, From: string(f.From), To: string(f.To), Day: f.Day.String(), Number: f.Number,
		Utility: string(f.Utility), Details: sumsJSON(f.Sums), SM3: f.Digest.String(), At: f.At.UTC(), By: f.By}
	if a := f.Answer; a != nil {
		j.Answer = &ClearingAnswerJSON{Name: f.AnswerName(), Accepted: sumsJSON(a.Accepted), Refused: sumsJSON(a.Refused), SM3: a.Digest.String(), At: a.At.UTC(), By: a.By}
	}
	return j
}

// ClearingHeldJSON is a row or an entry that is in no clearing file yet.
type ClearingHeldJSON struct {
	What        string `json:"what" enum:"sale,entry"`
	Order       string `json:"order" doc:"Channel and order of a sale"`
	Event       string `json:"event" doc:"Of a card entry"`
	Utility     string `json:"utility" enum:"water,power,gas"`
	MeterNumber string `json:"meter_number"`
	Card        string `json:"card"`
	Purchase    uint32 `json:"purchase"`
	Amount      string `json:"amount" doc:"With its unit: 50.00 CNY, 1200 L"`
	Why         string `json:"why" doc:"Why it is held, and what to do"`
}

// ClearingHeldOf writes what is held for readers.
func ClearingHeldOf(h *clearing.Held) ClearingHeldJSON {
	if s := h.Sale; s != nil {
		return ClearingHeldJSON{What: "sale", Order: s.Channel + ":" + s.Order, Utility: string(s.Utility), MeterNumber: s.MeterNumber, Card: string(s.Card),
			Purchase: s.Purchase.Number, Amount: s.Amount.String() + " CNY", Why: h.Why}
	}
	e := h.Entry
	return ClearingHeldJSON{What: "entry", Event: string(e.Event), Utility: string(e.Utility), MeterNumber: e.MeterNumber, Card: string(e.Card),
		Purchase: e.Purchase.Number, Amount: creditText(e.Amount), Why: h.Why}
}

// ClearingMadeJSON is what was made, and what is held.
type ClearingMadeJSON struct {
	Files []ClearingFileJSON `json:"files" nullable:"false"`
	Held  int                `json:"held" doc:"Rows and entries that are in no file yet; they are looked at again the next time"`
	Why   []ClearingHeldJSON `json:"why" nullable:"false" doc:"The first of them"`
}

// ClearingTakenJSON is what became of a file or an answer.
type ClearingTakenJSON struct {
	File     ClearingFileJSON `json:"file"`
	Repeated bool             `json:"repeated" doc:"True when exactly this was taken before and nothing was changed"`
}

// ClearingPageJSON is a page of clearing files.
type ClearingPageJSON struct {
	Total int                `json:"total"`
	Rows  []ClearingFileJSON `json:"rows" nullable:"false"`
}

// ClearingDirectionJSON is what the files of one direction come to.
type ClearingDirectionJSON struct {
	Files    int              `json:"files"`
	Sent     ClearingSumsJSON `json:"sent" doc:"Accepted, refused and pending together"`
	Accepted ClearingSumsJSON `json:"accepted"`
	Refused  ClearingSumsJSON `json:"refused"`
	Pending  ClearingSumsJSON `json:"pending" doc:"Without an answer yet"`
}

// ClearingPositionJSON is how we stand with one partner.
type ClearingPositionJSON struct {
	Partner string                `json:"partner"`
	Ours    ClearingDirectionJSON `json:"ours" doc:"Files that we sent: we hold the money and owe it"`
	Theirs  ClearingDirectionJSON `json:"theirs" doc:"Files that we received"`
	Owe     string                `json:"owe" doc:"Yuan"`
	Owed    string                `json:"owed" doc:"Yuan"`
	Balance string                `json:"balance" doc:"Owed less owe; positive if the partner pays us"`
}

// NettingJSON is what we owe and are owed.
type NettingJSON struct {
	Home      string                 `json:"home"`
	From      string                 `json:"from" doc:"First accounting day"`
	To        string                 `json:"to" doc:"Last accounting day"`
	Positions []ClearingPositionJSON `json:"positions" nullable:"false"`
	Owe       string                 `json:"owe" doc:"Yuan"`
	Owed      string                 `json:"owed" doc:"Yuan"`
	Balance   string                 `json:"balance" doc:"Owed less owe"`
}

// NettingOf writes a netting of some days for readers.
func NettingOf(n *clearing.Netting, from, to ledger.Day) NettingJSON {
	j := NettingJSON{Home: string(n.Home), From: from.String(), To: to.String(), Positions: []ClearingPositionJSON{}, Owe: n.Owe.String(), Owed: n.Owed.String(), Balance: n.Balance.String()}
	direction := func(d clearing.Direction) ClearingDirectionJSON {
		return ClearingDirectionJSON{Files: d.Files, Sent: sumsJSON(d.Sent), Accepted: sumsJSON(d.Accepted), Refused: sumsJSON(d.Refused), Pending: sumsJSON(d.Pending)}
	}
	for _, p := range n.Positions {
		j.Positions = append(j.Positions, ClearingPositionJSON{Partner: string(p.Partner), Ours: direction(p.Ours), Theirs: direction(p.Theirs),
			Owe: p.Owe.String(), Owed: p.Owed.String(), Balance: p.Balance.String()})
	}
	return j
}

type (
	clearingListInput struct {
		Direction  string `query:"direction" enum:"sent,received," doc:"Only files of this direction"`
		Partner    string `query:"partner" pattern:"^([0-9]{8})?$" doc:"Only files to or from this issuer"`
		From       string `query:"from" doc:"First accounting day"`
		To         string `query:"to" doc:"Last accounting day"`
		Unanswered bool   `query:"unanswered" doc:"Only files without an answer"`
		Paging
	}
	clearingNameInput struct {
		Name string `path:"name" pattern:"^(clearing|answer)-[0-9]{8}-[0-9]{8}-[0-9]{8}-[0-9]{3}\\.csv$" doc:"Of the file or the answer"`
	}
	clearingTakeInput struct {
		Name    string `query:"name" required:"true" pattern:"^(clearing|answer)-[0-9]{8}-[0-9]{8}-[0-9]{8}-[0-9]{3}\\.csv$" doc:"Name of the file: it says what the file is, and is part of it"`
		RawBody []byte `contentType:"application/octet-stream" doc:"The file as it is"`
	}
	clearingMakeInput struct {
		Body struct {
			Day string `json:"day" doc:"Last accounting day whose sales are taken" example:"2026-11-21"`
		}
	}
	clearingNetInput struct {
		From string `query:"from" required:"true" doc:"First accounting day"`
		To   string `query:"to" required:"true" doc:"Last accounting day"`
	}
	clearingPageOutput  struct{ Body ClearingPageJSON }
	clearingTakenOutput struct{ Body ClearingTakenJSON }
	clearingMadeOutput  struct{ Body ClearingMadeJSON }
	nettingOutput       struct{ Body NettingJSON }
	clearingBytesOutput struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Body        []byte
	}
)

func (l *ledgerRoutes) listClearing(ctx context.Context, in *clearingListInput) (*clearingPageOutput, error) {
	c, err := l.clearing()
	if err != nil {
		return nil, err
	}
	q := ClearingQuery{Direction: in.Direction, Partner: schemas.IssuerID(in.Partner), Unanswered: in.Unanswered, Limit: in.Limit, Offset: in.Offset}
	for _, day := range []struct {
		name, text string
		to         *ledger.Day
	}{{"from", in.From, &q.From}, {"to", in.To, &q.To}} {
		if day.text == "" {
			continue
		}
		d, bad := dayOf(day.name, day.text)
		if bad != nil {
			return nil, bad
		}
		*day.to = d
	}
	list, total, err := c.Files.List(ctx, q)
	if err != nil {
		return nil, l.clearingProblem(ctx, "list clearing files", err)
	}
	return &clearingPageOutput{Body: ClearingPageJSON{Total: total, Rows: filesJSON(list)}}, nil
}

func filesJSON(list []ClearingFile) []ClearingFileJSON {
	rows := make([]ClearingFileJSON, len(list))
	for n := range list {
		rows[n] = ClearingFileOf(&list[n])
	}
	return rows
}

func (l *ledgerRoutes) getClearing(ctx context.Context, in *clearingNameInput) (*clearingBytesOutput, error) {
	c, err := l.clearing()
	if err != nil {
		return nil, err
	}
	raw, err := c.Files.Bytes(ctx, in.Name)
	if err != nil {
		return nil, l.clearingProblem(ctx, "bytes of "+in.Name, err)
	}
	return &clearingBytesOutput{ContentType: "text/csv; charset=utf-8", Disposition: fmt.Sprintf("attachment; filename=%q", in.Name), Body: raw}, nil
}

func (l *ledgerRoutes) postClearing(ctx context.Context, in *clearingTakeInput) (*clearingTakenOutput, error) {
	c, err := l.clearing()
	if err != nil {
		return nil, err
	}
	file, repeated, err := c.Desk.Take(ctx, Upload{Name: in.Name, By: personOf(ctx).Name, Raw: in.RawBody})
	if err != nil {
		return nil, l.clearingProblem(ctx, "take "+in.Name, err)
	}
	return &clearingTakenOutput{Body: ClearingTakenJSON{File: ClearingFileOf(&file), Repeated: repeated}}, nil
}

// heldShown bounds what an answer says about rows that are held.
const heldShown = 1000

func (l *ledgerRoutes) makeClearing(ctx context.Context, in *clearingMakeInput) (*clearingMadeOutput, error) {
	c, err := l.clearing()
	if err != nil {
		return nil, err
	}
	day, bad := dayOf("day", in.Body.Day)
	if bad != nil {
		return nil, bad
	}
	files, held, err := c.Desk.Make(ctx, day, personOf(ctx).Name)
	if err != nil {
		return nil, l.clearingProblem(ctx, "make clearing files", err)
	}
	out := ClearingMadeJSON{Files: filesJSON(files), Held: len(held), Why: []ClearingHeldJSON{}}
	for n := range held[:min(len(held), heldShown)] {
		out.Why = append(out.Why, ClearingHeldOf(&held[n]))
	}
	return &clearingMadeOutput{Body: out}, nil
}

func (l *ledgerRoutes) getNetting(ctx context.Context, in *clearingNetInput) (*nettingOutput, error) {
	c, err := l.clearing()
	if err != nil {
		return nil, err
	}
	from, bad := dayOf("from", in.From)
	if bad != nil {
		return nil, bad
	}
	to, bad := dayOf("to", in.To)
	switch {
	case bad != nil:
		return nil, bad
	case to < from:
		return nil, problem(http.StatusUnprocessableEntity, codeRange, "to is before from.")
	}
	n, err := c.Files.Net(ctx, from, to)
	if err != nil {
		return nil, l.clearingProblem(ctx, "net the clearing", err)
	}
	return &nettingOutput{Body: NettingOf(&n, from, to)}, nil
}
