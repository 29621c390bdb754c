package api

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is an error of the API [RFC 9457] with a code that never changes, so
// that pages can say it in the reader's language.
type Problem struct {
	Type   string `json:"type" doc:"Always about:blank: the code says more"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code" doc:"Stable code of the problem" example:"meter_unknown"`
	Detail string `json:"detail" doc:"What is wrong and what to do"`
	// Errors names the parameters that are wrong.
	Errors []ProblemField `json:"errors,omitempty" nullable:"false"`
	// Allowed names the steps that are possible instead, where a step was not.
	Allowed []string `json:"allowed,omitempty" nullable:"false" doc:"Steps that are possible instead"`
	// Why says in one word why a step was not possible, for pages that tell it in
	// their own language.
	Why string `json:"why,omitempty" doc:"One word for the reason why a step was not possible" example:"own_request"`
}

// ProblemField names one parameter and what is wrong with it.
type ProblemField struct {
	Location string `json:"location" example:"query.limit"`
	Message  string `json:"message"`
}

// The codes of problems.
const (
	codeInvalid          = "invalid_parameters"
	codeCursor           = "invalid_cursor"
	codeRange            = "invalid_range"
	codeMeterUnknown     = "meter_unknown"
	codeCollectorUnknown = "collector_unknown"
	codeQuantity         = "quantity_unknown"
	codeNotFound         = "not_found"
	codeMethod           = "method_not_allowed"
	codeStore            = "store_unavailable"
	codeConsumption      = "consumption_not_computed"
	codeStreams          = "too_many_streams"
	codeCrossOrigin      = "cross_origin"
	codeInternal         = "internal"
	problemMediaType     = "application/problem+json"
	problemAboutBlank    = "about:blank"
)

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status; Huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of a problem; Huma asks for it.
func (p *Problem) ContentType(string) string { return problemMediaType }

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: problemAboutBlank, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// write answers a request outside Huma.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemMediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client has gone: nobody is left to tell
}

// codedProblems turns Huma's own errors into Problems.
func codedProblems(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := codeInvalid
	if model.Status >= http.StatusInternalServerError {
		code = codeInternal
	}
	p := problem(model.Status, code, model.Detail)
	for _, e := range model.Errors {
		p.Errors = append(p.Errors, ProblemField{Location: e.Location, Message: e.Message})
	}
	return p, nil
}
