// Package modbus reads meters over Modbus TCP and RTU without ever giving out a
// value that belongs to another request.
//
// A Bus is Modbus on a line.Line, which has one request under way at a time; a
// Meter is one unit on it with one register map, and is the adapters.Source that
// the collector calls. Plan turns a register map into few requests, Decode turns
// registers into exact decimals; both are pure.
//
// Framing comes from github.com/goburrow/modbus, used as a packager only. Its
// own transporters take a late answer for the next one, so connection and
// deadlines are those of package line, and whose answer a frame is, is decided
// here (query.go, padding.go). What differs between Modbus TCP and RTU is behind
// the interface framing; everything else is common to them.
//
// Sources: MODBUS Application Protocol Specification V1.1b3 ("[Modbus n]") and
// MODBUS Messaging on TCP/IP Implementation Guide V1.0b ("[Modbus TCP n]").
package modbus
