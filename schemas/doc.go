// Package schemas is the contract between the field and the centre: the value
// types that travel (Reading, Batch, CardEntry, CardBatch, Status, Receipt),
// their strict deterministic CBOR form, the table of quantities and units, and
// the MQTT topics that carry them.
//
// Nothing here knows a wire, a disk or a screen. A change in this package is a
// change of the contract: it needs a new version, new vectors and old vectors
// that still pass. The documents beside the code (citygrid.cddl for the wire,
// *.schema.json for the JSON forms, quantities.md, cards.md, topics.md,
// envelope.md) are kept equal to it by tests; go test ./schemas -update writes
// the generated ones anew.
package schemas
