package books

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// billBody is a bill as the books keep it for ever: the digest is of these bytes,
// so names and order stay. Moments are in UTC, money is fen, use litres or
// watt-hours, prices are as in package tariff.
type billBody struct {
	Form      int             `json:"form"`
	Meter     schemas.MeterID `json:"meter"`
	Installed time.Time       `json:"installed"`
	Number    string          `json:"meter_number"`
	Customer  string          `json:"customer"`
	Utility   string          `json:"utility"`
	Limit     int64           `json:"limit"`
	Channel   string          `json:"channel"`
	Order     string          `json:"order"`
	Month     string          `json:"month"`
	Day       string          `json:"day"`
	Due       string          `json:"due"`
	At        time.Time       `json:"at"`
	By        string          `json:"by"`
	Terms     termsBody       `json:"terms"`
	Plan      string          `json:"plan"`
	Reset     string          `json:"reset"`
	Quantity  string          `json:"quantity"`
	Registers []registerBody  `json:"registers"`
	Base      *registerBody   `json:"base,omitempty"`
	Parts     []partBody      `json:"parts"`
	Use       int64           `json:"use"`
	Total     int64           `json:"total"`
	Rounded   int64           `json:"rounded"`
	Position  int64           `json:"position"`
	Fees      []feeBody       `json:"fees,omitempty"`
	Amount    int64           `json:"amount"`
}

type termsBody struct {
	DueDays int       `json:"due_days"`
	Warn    int       `json:"warn"`
	Stop    int       `json:"stop"`
	Late    *lateBody `json:"late,omitempty"`
}

type lateBody struct {
	FreeDays int `json:"free_days"`
	PerDay   int `json:"per_day"`
	Cap      int `json:"cap"`
}

type registerBody struct {
	At     time.Time `json:"at"`
	Taken  time.Time `json:"taken"`
	Total  int64     `json:"total"`
	ByRate []int64   `json:"by_rate,omitempty"`
}

type partBody struct {
	From    int        `json:"from"` // the number of the register, from 0
	To      int        `json:"to"`
	Version string     `json:"prices_from"`
	Lines   []lineBody `json:"lines"`
	Total   int64      `json:"total"`
	Rounded int64      `json:"rounded"`
}

type lineBody struct {
	Rate  int   `json:"rate"`
	Step  int   `json:"step"`
	Use   int64 `json:"use"`
	Price int64 `json:"price"`
	Fen   int64 `json:"fen"`
}

type feeBody struct {
	Order  string `json:"order"`
	Amount int64  `json:"amount"`
}

// encodeBill returns the bytes of a bill and their digest.
func encodeBill(r *billing.Record) ([]byte, ledger.Digest) {
	o := billBody{Form: 1, Meter: r.Meter, Installed: r.From, Number: r.MeterNumber, Customer: string(r.Customer), Utility: string(r.Utility),
		Limit: int64(r.Limit), Channel: r.Channel, Order: r.Order, Month: r.Month.String(), Day: r.Day.String(), Due: r.Due.String(), At: r.At.UTC(), By: r.By,
		Terms: termsBody{DueDays: r.Terms.DueDays, Warn: r.Terms.Warn, Stop: r.Terms.Stop}, Plan: r.Plan, Reset: string(r.Reset), Quantity: string(r.Quantity),
		Registers: []registerBody{}, Parts: []partBody{}, Use: r.Use, Total: int64(r.Total), Rounded: int64(r.Rounded), Position: r.Position, Amount: int64(r.Amount)}
	if l := r.Terms.Late; l != nil {
		o.Terms.Late = &lateBody{l.FreeDays, l.PerDay, l.Cap}
	}
	at := make(map[time.Time]int)
	for n := range r.Registers {
		at[r.Registers[n].At.UTC()] = n
		o.Registers = append(o.Registers, registerToBody(&r.Registers[n]))
	}
	if r.Base != nil {
		base := registerToBody(r.Base)
		o.Base = &base
	}
	for n := range r.Parts {
		p := &r.Parts[n]
		part := partBody{From: at[p.From.At.UTC()], To: at[p.To.At.UTC()], Version: p.Version.String(), Lines: []lineBody{}, Total: int64(p.Total), Rounded: int64(p.Rounded)}
		for _, l := range p.Lines {
			part.Lines = append(part.Lines, lineBody{l.Rate, l.Step, l.Use, int64(l.Price), int64(l.Fen)})
		}
		o.Parts = append(o.Parts, part)
	}
	for _, f := range r.Fees {
		o.Fees = append(o.Fees, feeBody{f.Order, int64(f.Amount)})
	}
	body := jsonOf(o)
	return body, ledger.DigestOf(body)
}

func registerToBody(r *billing.Register) registerBody {
	return registerBody{At: r.At.UTC(), Taken: r.Taken.UTC(), Total: r.Total, ByRate: r.ByRate}
}

// decodeBill is the way back of encodeBill. Bytes that are not those of their
// digest, or that this program would not write so, are an error.
func decodeBill(body []byte, digest string) (billing.Record, error) {
	d := ledger.DigestOf(body)
	if d.String() != digest {
		return billing.Record{}, fmt.Errorf("the bill in the books is damaged: its digest is %s, the books have %s", d, digest)
	}
	var o billBody
	if err := json.Unmarshal(body, &o); err != nil {
		return billing.Record{}, fmt.Errorf("the bill in the books cannot be read: %w", err)
	}
	r, err := o.record()
	if err != nil {
		return billing.Record{}, fmt.Errorf("the bill in the books cannot be read: %w", err)
	}
	r.Digest = d
	if again, _ := encodeBill(&r); !bytes.Equal(again, body) {
		return billing.Record{}, fmt.Errorf("bill %s is of a form that this program does not know; use a newer one", o.Order)
	}
	return r, nil
}

func (o *billBody) record() (r billing.Record, err error) {
	r.Account = billing.Account{Meter: o.Meter, From: o.Installed, MeterNumber: o.Number, Customer: schemas.CustomerID(o.Customer),
		Utility: schemas.Medium(o.Utility), Mode: billing.Credit, Limit: schemas.Fen(o.Limit), Channel: o.Channel}
	if r.Month, err = billing.ParseMonth(o.Month); err != nil {
		return r, err
	}
	if r.Day, err = ledger.ParseDay(o.Day); err != nil {
		return r, err
	}
	if r.Due, err = ledger.ParseDay(o.Due); err != nil {
		return r, err
	}
	r.Order, r.At, r.By = o.Order, o.At, o.By
	r.Terms = billing.Terms{DueDays: o.Terms.DueDays, Warn: o.Terms.Warn, Stop: o.Terms.Stop}
	if l := o.Terms.Late; l != nil {
		r.Terms.Late = &billing.LateFee{FreeDays: l.FreeDays, PerDay: l.PerDay, Cap: l.Cap}
	}
	r.Plan, r.Reset, r.Quantity = o.Plan, tariff.Reset(o.Reset), schemas.Quantity(o.Quantity)
	for n := range o.Registers {
		r.Registers = append(r.Registers, o.Registers[n].register())
	}
	if o.Base != nil {
		base := o.Base.register()
		r.Base = &base
	}
	r.Use, r.Total, r.Rounded, r.Position, r.Amount = o.Use, schemas.Fen(o.Total), tariff.Charge(o.Rounded), o.Position, schemas.Fen(o.Amount)
	for _, f := range o.Fees {
		r.Fees = append(r.Fees, billing.Fee{Order: f.Order, Amount: schemas.Fen(f.Amount)})
	}
	return r, o.parts(&r)
}

func (o *billBody) parts(r *billing.Record) error {
	if len(r.Registers) < 2 {
		return fmt.Errorf("bill %s has %d registers", o.Order, len(r.Registers))
	}
	for _, p := range o.Parts {
		version, err := tariff.ParseDate(p.Version)
		if err != nil {
			return err
		}
		if p.From < 0 || p.To <= p.From || p.To >= len(r.Registers) {
			return fmt.Errorf("bill %s: a part from register %d to %d of %d", o.Order, p.From, p.To, len(r.Registers))
		}
		part := billing.Part{From: r.Registers[p.From].Reading, To: r.Registers[p.To].Reading,
			Bill: tariff.Bill{Version: version, Total: schemas.Fen(p.Total), Rounded: tariff.Charge(p.Rounded)}}
		for _, l := range p.Lines {
			part.Lines = append(part.Lines, tariff.Line{Rate: l.Rate, Step: l.Step, Use: l.Use, Price: tariff.Price(l.Price),
				Exact: tariff.Charge(l.Use) * tariff.Charge(l.Price), Fen: schemas.Fen(l.Fen)})
		}
		r.Parts = append(r.Parts, part)
	}
	return nil
}

func (b *registerBody) register() billing.Register {
	return billing.Register{Reading: billing.Reading{At: b.At, Total: b.Total, ByRate: b.ByRate}, Taken: b.Taken}
}
