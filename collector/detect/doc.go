// Package detect turns the readings of meters, and their silence, into the
// events of a component: a leak, water that runs back, an open cover, a chamber
// under water, a valve that does not move, an empty battery, a purse without
// credit, a meter, line or gateway that does not answer.
//
// It has no clock, no goroutine and does no I/O: time comes with each call. What
// it remembers is bounded, MemoryPerMeter for a meter and as much for a line,
// and State holds all of it, so that a restart changes nothing.
//
// # What decides
//
// Only live readings decide, each newer than the one before it: what a meter
// kept and gave later says nothing of now. Suspect readings decide nothing, with
// one exception: the verdict "reverse" doubts the direction and not the number,
// and reverse_flow is about just that. Two readings further apart than max_gap
// (or two intervals of the meter, if that is more) say nothing of the time
// between: missing data is never the beginning of anything, nor its end.
//
// # One open event
//
// For each meter and kind, and each line and kind, at most one event is open.
// It is cleared by the same id. Every rule has two thresholds, or a count of
// readings that must agree, for opening and for clearing.
//
//	leak             through whole nights the flow never fell below a threshold;
//	                 or it was above a limit for minutes (burst, the same kind)
//	reverse_flow     the reverse register rose, the net one fell, or the flow
//	                 was negative for a while
//	cover_open       k of the last n readings of the tilt or the contact
//	water_level      k of the last n readings of the level or the float switch
//	valve_stuck      abnormal, moving, or not as expected for longer than a time
//	battery_low      k of the last n readings of the voltage or the status
//	credit_out       k of the last n readings of the purse at or below nothing
//	meter_offline    no answer for some of its intervals, while others answer
//	line_offline     no answer from any of at least two meters, the gateway
//	                 takes connections
//	gateway_offline  the port or the gateway itself is not there
//
// # What a register can tell
//
// Volumes are compared exactly, and never for more than the register shows: a
// standstill counts once a flow of the threshold would have moved the last digit
// (for a floating-point register, the last bit), and a night is one of a leak when
// the rise less one such step is still above the threshold. A register too coarse
// for the night neither opens nor clears a leak; the meter's own flow then may.
//
// # Who is offline
//
// A meter whose silence began after the last answer of its whole line is not
// told of alone: once all meters of the line have failed, there is one
// line_offline with their number. A meter_offline that is open by then is
// cleared as part of it when its silence began within the meter's own patience
// before that of the line; an older one is a fault of its own and stays. While
// the gateway is gone nothing is held against its meters. After a line is back
// its meters' silence is counted anew.
package detect
