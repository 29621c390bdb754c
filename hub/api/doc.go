// Package api is the face of the hub: the JSON API, the live stream, the pages
// and the health checks, as one http.Handler.
//
// It owns one piece of state, Live: the last value of every quantity of every
// meter, kept in memory so that a page never scans the store. Everything else
// comes through the small interfaces and functions in Options, which the
// program wires; this package knows no broker and no database.
//
// The package starts no goroutine. A stream lives in the goroutine of its
// request and ends with it.
//
// The contract is schemas/openapi.yaml, generated from the code here; a test
// fails when the two differ. Decimal values are JSON strings, times are
// RFC 3339 in UTC, errors are RFC 9457 problems with a stable code.
package api
