package api

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
)

// The bodies of GeoReport v2. XML has every element, empty where there is nothing;
// JSON follows from it by the convention named Spark: an element that holds only
// elements of one kind is an array, and an empty one is null.

// open311Body knows the name of its root element; JSON has none.
type open311Body interface{ root() string }

// none is a text that is null in JSON where it is empty.
type none string

// MarshalJSON writes null for an empty text.
func (n none) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// degree is a coordinate: a number in JSON, both empty where it is not known.
type degree struct {
	value float64
	known bool
}

// MarshalJSON writes null where it is not known.
func (d degree) MarshalJSON() ([]byte, error) {
	text, _ := d.MarshalText()
	if len(text) == 0 {
		return []byte("null"), nil
	}
	return text, nil
}

// MarshalText writes seven decimals, about a centimetre.
func (d degree) MarshalText() ([]byte, error) {
	if !d.known {
		return nil, nil
	}
	return []byte(degreeText(d.value)), nil
}

type discoveryBody struct {
	XMLName    xml.Name       `xml:"discovery" json:"-"`
	Changeset  string         `xml:"changeset" json:"changeset"`
	Contact    string         `xml:"contact" json:"contact"`
	KeyService string         `xml:"key_service" json:"key_service"`
	Endpoints  []endpointBody `xml:"endpoints>endpoint" json:"endpoints"`
}

type endpointBody struct {
	Specification string   `xml:"specification" json:"specification"`
	URL           string   `xml:"url" json:"url"`
	Changeset     string   `xml:"changeset" json:"changeset"`
	Type          string   `xml:"type" json:"type"`
	Formats       []string `xml:"formats>format" json:"formats"`
}

type servicesBody []serviceBody

type serviceBody struct {
	XMLName     xml.Name `xml:"service" json:"-"`
	Code        string   `xml:"service_code" json:"service_code"`
	Name        string   `xml:"service_name" json:"service_name"`
	Description none     `xml:"description" json:"description"`
	Metadata    bool     `xml:"metadata" json:"metadata"`
	Type        string   `xml:"type" json:"type"`
	Keywords    none     `xml:"keywords" json:"keywords"`
	Group       none     `xml:"group" json:"group"`
}

type definitionBody struct {
	XMLName    xml.Name      `xml:"service_definition" json:"-"`
	Code       string        `xml:"service_code" json:"service_code"`
	Attributes attributeBody `xml:"attributes" json:"attributes"`
}

// attributeBody is the empty list of attributes.
type attributeBody struct{}

// MarshalJSON writes an empty array.
func (attributeBody) MarshalJSON() ([]byte, error) { return []byte("[]"), nil }

type createdBody []createdRequest

type createdRequest struct {
	XMLName xml.Name `xml:"request" json:"-"`
	ID      string   `xml:"service_request_id" json:"service_request_id"`
	Notice  none     `xml:"service_notice" json:"service_notice"`
	Account none     `xml:"account_id" json:"account_id"`
}

type tokenBody []tokenRequest

type tokenRequest struct {
	XMLName xml.Name `xml:"request" json:"-"`
	ID      string   `xml:"service_request_id" json:"service_request_id"`
	Token   string   `xml:"token" json:"token"`
}

type requestsBody []requestBody

type requestBody struct {
	XMLName     xml.Name `xml:"request" json:"-"`
	ID          string   `xml:"service_request_id" json:"service_request_id"`
	Status      string   `xml:"status" json:"status"`
	StatusNotes none     `xml:"status_notes" json:"status_notes"`
	Name        string   `xml:"service_name" json:"service_name"`
	Code        string   `xml:"service_code" json:"service_code"`
	Description none     `xml:"description" json:"description"`
	Agency      none     `xml:"agency_responsible" json:"agency_responsible"`
	Notice      none     `xml:"service_notice" json:"service_notice"`
	Requested   string   `xml:"requested_datetime" json:"requested_datetime"`
	Updated     string   `xml:"updated_datetime" json:"updated_datetime"`
	Expected    none     `xml:"expected_datetime" json:"expected_datetime"`
	Address     none     `xml:"address" json:"address"`
	AddressID   none     `xml:"address_id" json:"address_id"`
	Zipcode     none     `xml:"zipcode" json:"zipcode"`
	Lat         degree   `xml:"lat" json:"lat"`
	Long        degree   `xml:"long" json:"long"`
	MediaURL    none     `xml:"media_url" json:"media_url"`
}

type errorsBody []errorBody

type errorBody struct {
	XMLName     xml.Name `xml:"error" json:"-"`
	Code        int      `xml:"code" json:"code"`
	Description string   `xml:"description" json:"description"`
}

func (discoveryBody) root() string  { return "" } // it is its own
func (definitionBody) root() string { return "" }
func (servicesBody) root() string   { return "services" }
func (createdBody) root() string    { return "service_requests" }
func (tokenBody) root() string      { return "service_requests" }
func (requestsBody) root() string   { return "service_requests" }
func (errorsBody) root() string     { return "errors" }

// answer writes one answer in the form that was asked for.
type answer struct {
	w    http.ResponseWriter
	json bool
}

// fail answers with one or more errors of a status.
func (a *answer) fail(status int, descriptions ...string) {
	list := errorsBody{}
	for _, d := range descriptions {
		list = append(list, errorBody{Code: status, Description: d})
	}
	a.send(status, list)
}

func (a *answer) write(body open311Body) { a.send(http.StatusOK, body) }

func (a *answer) send(status int, body open311Body) {
	kind, data := "text/xml; charset=utf-8", []byte(nil)
	var err error
	if a.json {
		kind = "application/json; charset=utf-8"
		data, err = json.Marshal(body)
	} else {
		data, err = marshalXML(body)
	}
	if err != nil { // no body has what cannot be written
		status, data = http.StatusInternalServerError, nil
	}
	head := a.w.Header()
	head.Set("Content-Type", kind)
	head.Set("Content-Length", strconv.Itoa(len(data)))
	a.w.WriteHeader(status)
	_, _ = a.w.Write(data) // the client has gone: nobody is left to tell
}

// xmlDeclaration says the encoding, as the specification asks.
const xmlDeclaration = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

func marshalXML(body open311Body) ([]byte, error) {
	inner, err := xml.MarshalIndent(body, "", "  ")
	if err != nil {
		return nil, err
	}
	out := []byte(xmlDeclaration)
	if root := body.root(); root != "" {
		out = append(append(append(out, "<"+root+">\n"...), inner...), "\n</"+root+">"...)
	} else {
		out = append(out, inner...)
	}
	return append(out, '\n'), nil
}
