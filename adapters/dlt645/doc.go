// Package dlt645 reads electricity meters of DL/T 645, editions 2007 and 1997,
// over a line that it may share with other meters and protocols.
//
// A Bus puts the meters of one line into words; a Meter is one address with one
// profile, and is the adapters.Source that the collector calls. It is also
// Clocked, a Keeper and Identified as far as its profile names the items.
//
// It only reads. The one function that builds frames (appendRequest) knows the
// control codes "read", "read on" and "read address" and no others, so no bug
// above it can write a parameter, clear a meter or switch a relay.
//
// How an answer is known to be the right one: it names the meter's address, the
// item, and in an answer of several frames the frame's number. An answer to
// another item or meter is late, is dropped, and the wait goes on. What an answer
// does not name is which of two equal questions it belongs to; the same question
// is therefore put twice in a row only after the line's quiet time (see
// line.Doubtful), and a read that failed is followed by one that begins with
// another item.
//
// Sources: DL/T 645-2007 ("[2007 n]") and DL/T 645-1997 ("[1997 n]"). Neither
// text was at hand; the rules are those that published frames prove and public
// implementations agree on.
package dlt645
