// Package simulators is a city of meters to test against: Modbus, DL/T 645 and
// CJ/T 188 slaves for every profile, behind gateways and on serial lines, with
// faults on demand, and the oracle that says what a right collector must have
// read.
//
// Everything that a meter shows is a pure function of (meter, quantity, time):
// no random source, and no state but the rest of a long answer that is being
// read. The same fleet can therefore be rebuilt from its FleetConfig in another
// process, at another time, and asked what any reading should have been
// (Fleet.Check). Of one truth there are three faces: registers, and the items of
// the two Chinese standards; each shows as much of it as its format can hold.
//
// A meter has a life: it can be reset, swapped for another, reboot, show a wrong
// number now and then, and its clock can be wrong or set. Its dated records are
// made when its own clock says so.
//
// A prepaid meter makes its purchases up in the same way, unless it is given the
// History of an engine (package prepaid): it then shows that.
//
// The package shares the profiles with the decoders and nothing else, so that a
// bug in one cannot hide in the other. Its servers are its own, on bare sockets,
// because faults need control of every byte: half a reply, a reply twice, a
// reply after the next one.
package simulators
