package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

const (
	// maxUpload bounds a file: a million rows of a hundred bytes, twice over.
	maxUpload  = 256 << 20
	uploadTime = 10 * time.Minute
)

// PersonJSON is who asks.
type PersonJSON struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles" nullable:"false" doc:"clerk imports, runs, explains and assigns; reviewer adjusts; approver closes"`
}

type personOutput struct{ Body PersonJSON }

func (l *ledgerRoutes) getMe(ctx context.Context, _ *struct{}) (*personOutput, error) {
	p := personOf(ctx)
	out := &personOutput{Body: PersonJSON{Name: p.Name, Roles: []string{}}}
	for _, r := range p.Roles {
		out.Body.Roles = append(out.Body.Roles, string(r))
	}
	return out, nil
}

// ImportJSON is an imported file.
type ImportJSON struct {
	ID         int64     `json:"id"`
	Content    string    `json:"content" enum:"sales,payments"`
	Utility    string    `json:"utility" enum:"water,power,gas"`
	Channel    string    `json:"channel"`
	Day        string    `json:"day" doc:"Accounting day" example:"2026-11-21"`
	Number     int       `json:"number" doc:"Of the channel's files of that day"`
	Name       string    `json:"name" doc:"As the file was named"`
	Mapping    string    `json:"mapping" doc:"Column mapping with its version"`
	SM3        string    `json:"sm3" doc:"Digest of the bytes"`
	Rows       int64     `json:"rows"`
	Bytes      int64     `json:"bytes"`
	Debit      string    `json:"debit" doc:"Money taken, yuan" example:"50.00"`
	Credit     string    `json:"credit" doc:"Money given back, yuan"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	Unresolved int       `json:"unresolved" doc:"Rows whose meter the register does not know"`
	Repeated   bool      `json:"repeated" doc:"True when exactly this file was in the books already and nothing was changed"`
}

func importJSON(i *ledger.Import) ImportJSON {
	return ImportJSON{ID: i.ID, Content: string(i.Content), Utility: string(i.Utility), Channel: i.Channel, Day: i.Day.String(), Number: i.Number,
		Name: i.Name, Mapping: i.Mapping, SM3: i.Digest.String(), Rows: i.Rows, Bytes: i.Bytes, Debit: i.Debit.String(), Credit: i.Credit.String(),
		At: i.At.UTC(), By: i.By, Unresolved: i.Unresolved}
}

type (
	importsOutput struct{ Body []ImportJSON }
	importOutput  struct{ Body ImportJSON }
	importInput   struct {
		UploadQuestion
		RawBody []byte `contentType:"application/octet-stream" doc:"The file as it is"`
	}
)

func (l *ledgerRoutes) listImports(ctx context.Context, in *Paging) (*importsOutput, error) {
	list, err := l.o.Files.Imports(ctx, in.Limit, in.Offset)
	if err != nil {
		return nil, l.problemOf(ctx, "list imports", err)
	}
	out := &importsOutput{Body: []ImportJSON{}}
	for n := range list {
		out.Body = append(out.Body, importJSON(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) postImport(ctx context.Context, in *importInput) (*importOutput, error) {
	u, bad := in.upload(ctx, in.RawBody)
	if bad != nil {
		return nil, bad
	}
	done, err := l.o.Files.Import(ctx, u)
	var same *ledger.ImportedError
	if errors.As(err, &same) {
		out := &importOutput{Body: importJSON(&same.Import)}
		out.Body.Repeated = true
		return out, nil
	}
	if err != nil {
		return nil, l.problemOf(ctx, "import "+in.Name, err)
	}
	return &importOutput{Body: importJSON(&done)}, nil
}

// PlaceJSON is a meter place of the asset register.
type PlaceJSON struct {
	Meter         string             `json:"meter"`
	Utility       string             `json:"utility" enum:"water,power,gas"`
	Purse         string             `json:"purse" enum:"fen,L,Wh" doc:"What the prepaid purse counts"`
	Plan          string             `json:"plan" doc:"Tariff plan"`
	Readout       string             `json:"readout" enum:"remote,card"`
	Installations []InstallationJSON `json:"installations" nullable:"false"`
}

// InstallationJSON is one physical meter at a place.
type InstallationJSON struct {
	From        time.Time  `json:"from"`
	To          *time.Time `json:"to,omitempty" doc:"Absent while it stands"`
	MeterNumber string     `json:"meter_number"`
	Customer    string     `json:"customer"`
}

// TariffJSON is a tariff file in force.
type TariffJSON struct {
	Name string    `json:"name"`
	SM3  string    `json:"sm3"`
	Text string    `json:"text" doc:"The YAML file"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
}

type (
	placesInput struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only places of this utility"`
		After   string `query:"after" maxLength:"32" doc:"Continue after this meter id"`
		Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
	}
	placesOutput  struct{ Body []PlaceJSON }
	tariffsOutput struct{ Body []TariffJSON }
)

func (l *ledgerRoutes) listPlaces(ctx context.Context, in *placesInput) (*placesOutput, error) {
	list, err := l.o.Register.Places(ctx, schemas.Medium(in.Utility), schemas.MeterID(in.After), in.Limit)
	if err != nil {
		return nil, l.problemOf(ctx, "list places", err)
	}
	out := &placesOutput{Body: []PlaceJSON{}}
	for n := range list {
		out.Body = append(out.Body, ledgerPlaceJSON(&list[n]))
	}
	return out, nil
}

func ledgerPlaceJSON(p *ledger.Place) PlaceJSON {
	j := PlaceJSON{Meter: string(p.Meter), Utility: string(p.Utility), Purse: string(p.Purse), Plan: p.Plan, Readout: string(p.Readout), Installations: []InstallationJSON{}}
	for _, i := range p.Installations {
		j.Installations = append(j.Installations, InstallationJSON{From: i.From.UTC(), To: timeOrNil(i.To), MeterNumber: i.MeterNumber, Customer: string(i.Customer)})
	}
	return j
}

func (l *ledgerRoutes) listTariffs(ctx context.Context, _ *struct{}) (*tariffsOutput, error) {
	list, err := l.o.Register.Tariffs(ctx)
	if err != nil {
		return nil, l.problemOf(ctx, "list tariffs", err)
	}
	out := &tariffsOutput{Body: []TariffJSON{}}
	for _, f := range list {
		out.Body = append(out.Body, TariffJSON{Name: f.Name, SM3: f.Digest, Text: f.Text, At: f.At.UTC(), By: f.By})
	}
	return out, nil
}

// dayOf reads an accounting day of a request.
func dayOf(name, text string) (ledger.Day, *Problem) {
	d, err := ledger.ParseDay(text)
	if err != nil {
		return 0, problem(422, codeInvalid, fmt.Sprintf("%s: %v.", name, err))
	}
	return d, nil
}
