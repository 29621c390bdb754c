// Package adversary holds tests alone: each attacks the real parts of a city (hub,
// collector, broker, envelope, API) as one of the attackers of docs/threat-model.md
// would, and is a row of one table:
//
//	case                tries   accepted   counted
//
// tries are the messages or requests of the attacker. accepted are those of which
// something came in that must not: a reading in the store, an envelope freed from a
// spool, an answer to somebody who may not ask. It is 0. counted are those that a
// counter of the attacked part, or an answer of the broker or the API, tells of.
// Rows named "control" are honest traffic under the same conditions, of which all
// must be accepted, once.
//
// `make adversary` prints it.
package adversary
