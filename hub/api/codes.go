package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/schemas/codes"
)

// CodeListJSON is one version of one list of classes.
type CodeListJSON struct {
	Standard string          `json:"standard" example:"CJ/T 214-2007"`
	Kind     string          `json:"kind" enum:"component,event"`
	Version  string          `json:"version"`
	From     string          `json:"from" doc:"First day in force, as much of it as is known"`
	Until    string          `json:"until"`
	Source   string          `json:"source"`
	Sure     string          `json:"sure" doc:"How sure the codes and their completeness are"`
	Note     string          `json:"note"`
	Classes  int             `json:"classes" doc:"How many it has"`
	Majors   []CodeMajorJSON `json:"majors" nullable:"false"`
	Missing  []string        `json:"missing" nullable:"false" doc:"Codes that are known to be absent"`
}

// CodeMajorJSON is a major class.
type CodeMajorJSON struct {
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// CodeClassJSON is a class of a list.
type CodeClassJSON struct {
	Ref       string        `json:"ref" example:"CJ/T 214-2007:component:0101"`
	Standard  string        `json:"standard"`
	Kind      string        `json:"kind" enum:"component,event"`
	Code      string        `json:"code"`
	Major     CodeMajorJSON `json:"major"`
	ZH        string        `json:"zh"`
	EN        string        `json:"en"`
	Utility   string        `json:"utility"`
	Of        string        `json:"of" doc:"Of an event: code of the component that it says is abnormal"`
	For       string        `json:"for" doc:"Class of citygrid-ext that a city's class stands for"`
	Version   string        `json:"version"`
	Withdrawn bool          `json:"withdrawn"`
}

func codeMajorJSON(m codes.Major) CodeMajorJSON {
	return CodeMajorJSON{Code: m.Code, ZH: m.ZH, EN: m.EN}
}

func codeClassJSON(k *codes.Class) CodeClassJSON {
	return CodeClassJSON{Ref: k.Ref.String(), Standard: k.Ref.Standard, Kind: string(k.Ref.Kind), Code: k.Ref.Code, Major: codeMajorJSON(k.Major),
		ZH: k.ZH, EN: k.EN, Utility: k.Utility, Of: k.Of, For: k.For, Version: k.Version, Withdrawn: k.Withdrawn}
}

// CodeClassPage is a page of classes.
type CodeClassPage struct {
	Total int             `json:"total" doc:"Classes that match, on all pages"`
	Rows  []CodeClassJSON `json:"rows" nullable:"false"`
}

// CodeTermsJSON is a small list of values.
type CodeTermsJSON struct {
	Name   string         `json:"name" example:"component_state"`
	Source string         `json:"source"`
	Sure   string         `json:"sure"`
	Terms  []CodeTermJSON `json:"terms" nullable:"false"`
}

// CodeTermJSON is one value of a small list.
type CodeTermJSON struct {
	Key string `json:"key"`
	ZH  string `json:"zh"`
	EN  string `json:"en"`
}

// CodeReadingJSON is one thing that a code may be.
type CodeReadingJSON struct {
	What     string         `json:"what" example:"component id"`
	Standard string         `json:"standard"`
	Parts    []CodePartJSON `json:"parts" nullable:"false"`
	Against  []string       `json:"against" nullable:"false" doc:"What contradicts it; empty where nothing does"`
}

// CodePartJSON is one part of a code.
type CodePartJSON struct {
	Name   string `json:"name"`
	Digits string `json:"digits"`
	Means  string `json:"means"`
}

type (
	codeListsOutput struct{ Body []CodeListJSON }
	codeTermsOutput struct{ Body []CodeTermsJSON }
	classesInput    struct {
		Standard string `query:"standard" maxLength:"64" doc:"Only of the list with this name"`
		Kind     string `query:"kind" enum:"component,event," doc:"Only of this kind"`
		Search   string `query:"q" maxLength:"64" doc:"Only those whose code begins so, or whose name has all these words"`
		Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
		Offset   int    `query:"offset" minimum:"0" maximum:"100000" default:"0" doc:"Rows to pass over"`
	}
	classesOutput struct{ Body CodeClassPage }
	explainInput  struct {
		Code     string `query:"code" required:"true" minLength:"1" maxLength:"128" doc:"An identification code, or a class"`
		Standard string `query:"standard" maxLength:"64" doc:"Try only this one for ids and classes"`
	}
	explainOutput struct{ Body []CodeReadingJSON }
)

func (c *caseRoutes) registerCodes(api huma.API) {
	openGet(c, api, "list-codes", "/api/v1/codes/lists", "Code lists, with how far each may be trusted", c.listCodes)
	openGet(c, api, "list-classes", "/api/v1/codes/classes", "Classes of components and events", c.listClasses)
	openGet(c, api, "list-terms", "/api/v1/codes/terms", "Small lists of values and their names", c.listTerms)
	openGet(c, api, "explain-code", "/api/v1/codes/explain", "Everything that a code may be, with what contradicts each", c.explainCode)
}

func (c *caseRoutes) listCodes(context.Context, *struct{}) (*codeListsOutput, error) {
	out := &codeListsOutput{Body: []CodeListJSON{}}
	for _, l := range c.o.Lists.All() {
		j := CodeListJSON{Standard: l.Standard, Kind: string(l.Kind), Version: l.Version, From: l.From, Until: l.Until, Source: l.Source, Sure: l.Sure,
			Note: l.Note, Classes: len(l.Classes), Majors: []CodeMajorJSON{}, Missing: append([]string{}, l.Missing...)}
		for _, m := range l.Majors {
			j.Majors = append(j.Majors, codeMajorJSON(m))
		}
		out.Body = append(out.Body, j)
	}
	return out, nil
}

func (c *caseRoutes) listTerms(context.Context, *struct{}) (*codeTermsOutput, error) {
	out := &codeTermsOutput{Body: []CodeTermsJSON{}}
	for _, l := range c.o.Lists.TermLists() {
		j := CodeTermsJSON{Name: l.Name, Source: l.Source, Sure: l.Sure, Terms: []CodeTermJSON{}}
		for _, t := range l.Terms {
			j.Terms = append(j.Terms, CodeTermJSON{Key: t.Key, ZH: t.ZH, EN: t.EN})
		}
		out.Body = append(out.Body, j)
	}
	return out, nil
}

func (c *caseRoutes) listClasses(_ context.Context, in *classesInput) (*classesOutput, error) {
	if in.Standard != "" && !slices.Contains(c.o.Lists.Standards(), in.Standard) {
		return nil, fieldProblem("query.standard", fmt.Sprintf("there is no list %q; want %s", in.Standard, strings.Join(c.o.Lists.Standards(), ", ")))
	}
	found := slices.DeleteFunc(c.o.Lists.Search(in.Search), func(k codes.Class) bool {
		return in.Standard != "" && k.Ref.Standard != in.Standard || in.Kind != "" && k.Ref.Kind != codes.Kind(in.Kind)
	})
	out := &classesOutput{Body: CodeClassPage{Total: len(found), Rows: []CodeClassJSON{}}}
	for n := in.Offset; n < min(len(found), in.Offset+in.Limit); n++ {
		out.Body.Rows = append(out.Body.Rows, codeClassJSON(&found[n]))
	}
	return out, nil
}

func (c *caseRoutes) explainCode(_ context.Context, in *explainInput) (*explainOutput, error) {
	if !utf8.ValidString(in.Code) || hasControl(in.Code) {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "query.code: no code has such characters")
	}
	out := &explainOutput{Body: []CodeReadingJSON{}}
	for _, r := range c.o.Lists.Explain(in.Code, in.Standard) {
		j := CodeReadingJSON{What: r.What, Standard: r.Standard, Parts: []CodePartJSON{}, Against: append([]string{}, r.Against...)}
		for _, p := range r.Parts {
			j.Parts = append(j.Parts, CodePartJSON(p))
		}
		out.Body = append(out.Body, j)
	}
	return out, nil
}
