// Package chaos puts a city under fire and looks whether a reading was lost.
//
// One trial is one seed: 200 simulated meters are read by real processes (collector,
// broker, hub, InfluxDB), prepaid cards are loaded and component events are reported,
// while a schedule of faults drawn from the seed runs: parts are killed, stopped and cut
// off, disks fill, spools are damaged, clocks jump. Then every fault ends, the city
// drains, and an oracle holds what the collector ever had on disk against what the hub
// has: every reading against InfluxDB, every card entry against the ledger, every event
// against the cases.
//
//	collector --link--> broker <--link-- hub --link--> gate --> influxd
//	    |
//	    +-- spool segments, hard-linked into an archive before they can go
//
// What the oracle expects does not come from what it judges: the archive keeps every segment
// that the spool ever wrote, whatever the spool frees, and a parser of its own reads it; only
// the forms of the wire (schemas, schemas/seal) are the same. What is there it reads as
// anybody would: from InfluxDB, with the hub's queries of ledger, cases and gaps. What was
// on disk must be stored once, with the same value, and with the value that the meter
// showed. What a damaged spool destroyed must lie in slots that the hub's ledger of
// completeness knows to be without a reading.
//
// The same seed makes the same schedule. The moments at which processes are hit are drawn
// too, but the machine decides what they are doing just then, so a seed that failed once
// may have to be run several times.
package chaos
