package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger/sts"
)

// maxTokenBody bounds the request: a token, a year and a block.
const maxTokenBody = 4 << 10

type (
	stsInput struct {
		Body struct {
			Token  string `json:"token" doc:"20 digits, with blanks or hyphens between groups. Whoever has it can load it: it is neither kept nor logged"`
			Base   string `json:"base,omitempty" doc:"Base date of the meter's key: 1993, 2014 (the default) or 2035"`
			Opened string `json:"opened,omitempty" doc:"The data block as a security module opened it, 16 hexadecimal digits"`
		}
	}
	stsOutput struct{ Body TokenJSON }
)

// TokenJSON is what can be known of a 20-digit token. The token is not repeated.
type TokenJSON struct {
	Class string   `json:"class" enum:"credit,test,management,reserved"`
	Says  []string `json:"says" nullable:"false" doc:"In plain words"`
	// The rest is known of an opened credit token only.
	Purchase string     `json:"purchase,omitempty" doc:"How sales name it, tid: and the identifier" example:"tid:3155520"`
	Issued   *time.Time `json:"issued,omitempty"`
	Utility  string     `json:"utility,omitempty" doc:"electricity, water, gas, or the subclass"`
	Units    *uint64    `json:"units,omitempty" doc:"In tenths of unit"`
	Unit     string     `json:"unit,omitempty" doc:"kWh or m3"`
}

// registerSTS adds the operation on 20-digit tokens.
func (l *ledgerRoutes) registerSTS(api huma.API) {
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-parse-sts", Method: http.MethodPost, Path: "/api/v1/ledger/sts/parse", MaxBodyBytes: maxTokenBody,
		Summary:     "Say what a 20-digit token is, and check what can be checked",
		Description: "A credit token is encrypted with its meter's key: without its opened block nothing but its class can be known.",
	}, nil, l.parseSTS)
}

func (l *ledgerRoutes) parseSTS(_ context.Context, in *stsInput) (*stsOutput, error) {
	base := sts.Base2014
	var err error
	if in.Body.Base != "" {
		if base, err = sts.ParseBase(in.Body.Base); err != nil {
			return nil, problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
		}
	}
	token, err := sts.Parse(in.Body.Token)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
	}
	d, err := sts.Describe(token, base, in.Body.Opened)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
	}
	out := &stsOutput{Body: TokenJSON{Class: d.Class.String(), Says: d.Lines}}
	if o := d.Opened; o != nil {
		out.Body.Purchase, out.Body.Issued, out.Body.Utility = o.TID.String(), timeOrNil(d.Issued), o.Utility()
		out.Body.Units, out.Body.Unit = &o.Units, o.Unit()
	}
	return out, nil
}
