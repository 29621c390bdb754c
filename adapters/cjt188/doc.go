// Package cjt188 reads water and gas meters that speak CJ/T 188, the editions of
// 2004 and 2018, over a line of package line.
//
// A Bus is the protocol on one line, a Meter one meter on it, read by the items
// of its profile (package profiles). Frames are built and judged here; when
// bytes are sent, how long to wait and what an error means for the connection is
// the line's business.
//
// What is promised:
//
//   - Each request carries a sequence byte of its own (SER), which the answer
//     must return. A late answer names the request that it belongs to and is
//     dropped.
//   - An answer counts only if meter, type, item, order of the identifier and
//     length are those asked for. The checksum is a sum, so it cannot see two
//     bytes that changed places.
//   - Numbers are exact. A unit byte that the standard does not name, a digit
//     above 9 and a status that the profile does not name are no value.
//   - Nothing is ever written: the package cannot build a frame that changes a
//     meter, and so cannot move a valve or sell water.
package cjt188
