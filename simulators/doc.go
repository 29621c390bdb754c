// Package simulators is a city of meters to test against: Modbus TCP slaves
// for every register map, behind gateways, with faults on demand, and the
// oracle that says what a right collector must have read.
//
// Everything that a meter shows is a pure function of (meter, register, time):
// no state, no random source. The same fleet can therefore be rebuilt from its
// FleetConfig in another process, at another time, and asked what any reading
// should have been (Fleet.Check).
//
// The package shares the register maps (adapters/modbus/profiles) with the
// decoder and nothing else, so that a bug in one cannot hide in the other. Its
// TCP server is its own, on bare sockets, because faults need control of every
// byte: half a reply, a reply twice, a reply after the next one.
package simulators
