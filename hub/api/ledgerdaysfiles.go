package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// LedgerChecks reads files without storing them.
type LedgerChecks interface {
	// Check says what Import would say. With an empty mapping it tries those that there
	// are and takes the one that the file fits.
	Check(ctx context.Context, u Upload) (FileCheck, error)
	// Mappings lists the column mappings by name, our own format first.
	Mappings(ctx context.Context) ([]FileMapping, error)
}

// FileMapping is a column mapping.
type FileMapping struct {
	Name, Version string
	Content       ledger.Content // empty: the file says it
}

// FileCheck is what a file is, or what is wrong with it.
type FileCheck struct {
	// Mapping is the one that the file was read with.
	Mapping string
	// File is what the file would be imported as, where nothing is wrong with it.
	File *ledger.Import
	// Held is the import under the same number, nil for none; Same says that it is of
	// just these bytes.
	Held *ledger.Import
	Same bool
	// Mistakes are up to 20; More says that reading stopped at the last.
	Mistakes []FileFault
	More     bool
}

// FileFault is one mistake of a file; Line and Column count from 1, 0 where there is
// none.
type FileFault struct {
	Line, Column int
	// Field is the column's name, Text what stands there, What what is wrong.
	Field, Text, What string
}

// UploadQuestion is what a request says of a file.
type UploadQuestion struct {
	Mapping string `query:"mapping" maxLength:"64" doc:"Name of the column mapping; none for our own format, or to try them where a file is only checked"`
	Name    string `query:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name of the file, for people"`
	Channel string `query:"channel" maxLength:"64" doc:"Channel, where the file does not say it"`
	Utility string `query:"utility" enum:"water,power,gas," doc:"Utility, where the file does not say it"`
	Day     string `query:"day" doc:"Accounting day, where the file does not say it"`
	Number  int    `query:"number" minimum:"0" maximum:"1000000" doc:"Number of the file, where it does not say it"`
}

func (q *UploadQuestion) upload(ctx context.Context, raw []byte) (Upload, *Problem) {
	u := Upload{Mapping: q.Mapping, Name: q.Name, By: personOf(ctx).Name, Raw: raw, Channel: q.Channel, Utility: schemas.Medium(q.Utility), Number: q.Number}
	if q.Day != "" {
		day, bad := dayOf("day", q.Day)
		if bad != nil {
			return u, bad
		}
		u.Day = ledger.KnownDay{Day: day, Known: true}
	}
	return u, nil
}

// FileCheckJSON is what a file is, or what is wrong with it.
type FileCheckJSON struct {
	State    string          `json:"state" enum:"new,imported,taken,wrong" doc:"imported: just this file is in the books already; taken: another one has its number"`
	Mapping  string          `json:"mapping" doc:"Column mapping with which it was read"`
	File     *ImportJSON     `json:"file,omitempty" doc:"As what it would be imported"`
	Held     *ImportJSON     `json:"held,omitempty" doc:"What is in the books under its number"`
	Mistakes []FileFaultJSON `json:"mistakes" nullable:"false"`
	More     bool            `json:"more" doc:"Reading stopped at the last mistake; there may be more"`
}

// FileFaultJSON is one mistake of a file.
type FileFaultJSON struct {
	Line   int    `json:"line" doc:"From 1"`
	Column int    `json:"column" doc:"From 1; 0 for the line as a whole"`
	Field  string `json:"field" doc:"The column's name"`
	Text   string `json:"text" doc:"What stands there, shortened"`
	What   string `json:"what" doc:"What is wrong, and what to do"`
}

// DeskJSON is what the desk begins with.
type DeskJSON struct {
	Today    string        `json:"today" doc:"The accounting day of now"`
	Clears   bool          `json:"clears" doc:"Business with cards of other cities is cleared"`
	Mappings []MappingJSON `json:"mappings" nullable:"false" doc:"Column mappings of files, our own format first"`
}

// MappingJSON is a column mapping.
type MappingJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Content string `json:"content" doc:"sales or payments; empty where the file says it"`
}

type (
	checkInput struct {
		UploadQuestion
		RawBody []byte `contentType:"application/octet-stream" doc:"The file as it is"`
	}
	checkOutput struct{ Body FileCheckJSON }
	deskOutput  struct{ Body DeskJSON }
)

// registerChecks adds what comes before an import.
func (l *ledgerRoutes) registerChecks(api huma.API, heavy huma.Middlewares) {
	deskGet(l, api, "ledger-get-desk", "/api/v1/ledger/desk", "What the desk of reconciliation begins with", l.getDesk)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-check-file", Method: http.MethodPost, Path: "/api/v1/ledger/file-checks", MaxBodyBytes: maxUpload, BodyReadTimeout: uploadTime,
		Summary: "Say what an import of a file would say; nothing is stored", Middlewares: append(l.withDesk(api), heavy...),
	}, []Role{Clerk}, l.postCheck)
}

func (l *ledgerRoutes) getDesk(ctx context.Context, _ *struct{}) (*deskOutput, error) {
	list, err := l.o.Desk.Files.Mappings(ctx)
	if err != nil {
		return nil, l.problemOf(ctx, "list mappings", err)
	}
	out := &deskOutput{Body: DeskJSON{Today: l.o.Desk.Today().String(), Clears: l.o.Clearing != nil, Mappings: []MappingJSON{}}}
	for _, m := range list {
		out.Body.Mappings = append(out.Body.Mappings, MappingJSON{Name: m.Name, Version: m.Version, Content: string(m.Content)})
	}
	return out, nil
}

func (l *ledgerRoutes) postCheck(ctx context.Context, in *checkInput) (*checkOutput, error) {
	u, bad := in.upload(ctx, in.RawBody)
	if bad != nil {
		return nil, bad
	}
	c, err := l.o.Desk.Files.Check(ctx, u)
	if err != nil {
		return nil, l.problemOf(ctx, fmt.Sprintf("check %s", in.Name), err)
	}
	return &checkOutput{Body: checkJSON(&c)}, nil
}

func checkJSON(c *FileCheck) FileCheckJSON {
	j := FileCheckJSON{State: "new", Mapping: c.Mapping, Mistakes: []FileFaultJSON{}, More: c.More}
	for _, m := range c.Mistakes {
		j.Mistakes = append(j.Mistakes, FileFaultJSON(m))
	}
	if c.File != nil {
		i := importJSON(c.File)
		j.File = &i
	}
	if c.Held != nil {
		i := importJSON(c.Held)
		j.Held = &i
	}
	switch {
	case len(j.Mistakes) > 0:
		j.State = "wrong"
	case c.Same:
		j.State = "imported"
	case c.Held != nil:
		j.State = "taken"
	}
	return j
}
