// Package verdict says of each reading of a meter whether it may be trusted:
// is it possible, does it follow from what the meter said before, and if not,
// what happened. It has no clock, does no I/O and forgets nothing that State
// does not hold.
//
// It never changes a value, and never takes back a verdict that the driver has
// given. What it decides of a cumulative register, in this order:
//
//	range      outside the table, the meter's own limits, or its own width
//	swap       another serial number, or no meter on record at that time
//	good       at or above the last good value, and not faster than
//	           MaxPerHour; or a rollover at the register's width
//	stuck      the same value for StuckAfter while the meter shows flow
//	reverse    a register of the other direction grows where none may
//	rollback   lower, once; jump: too fast, once
//	reset      lower, near zero, and goes on from there
//	swap       at another level, and goes on from there
//
// # The baseline
//
// The baseline (Last) is the last good value; a suspect value never becomes it.
// One wrong value between right ones is suspect alone, and the right ones after
// it are good. Once two values agree on a level that the baseline does not
// explain, that level is confirmed: its readings stay suspect until an
// installation record that begins after the baseline opens a new one with its
// First value, or until two values in a row are back at the baseline.
//
// A wrong value that no check could know is good, and would then be a wrong
// baseline. Therefore a baseline counts for less until the next value confirms
// it: when two values in a row contradict it, agree with each other and with
// the good value before it (Firm), it is withdrawn, the second of them is good,
// and a Note says which value was given in error. The first value after a start
// with no state is provisional in just this way: there is no Firm, so two
// values that agree outvote it.
//
// # What cannot be known
//
// A wrong value is judged good when, and only when:
//   - it is the first of a counter whose baseline nobody recorded;
//   - it lies between the last good value and what MaxPerHour allows by then;
//     without MaxPerHour, anywhere above, within the range and the width;
//   - it imitates a rollover: from the last tenth of the width into the first,
//     by no more than MaxPerHour allows where it is given;
//   - it is the second or a later one in a row that lies between the last two
//     good values (or agrees against an unconfirmed first one): a register set
//     back by less than one reading interval;
//   - a level that was seen once only, or that stood still at one value for
//     less than a day without MaxPerHour, is followed by a value that the
//     baseline explains;
//   - the collector's clock was set: then the time between two values, and with
//     it MaxPerHour, says nothing.
//
// A right value is judged suspect when, and only when:
//   - it is the first one after a good wrong value that lies above it, or so far
//     below it that MaxPerHour does not lead from there to here;
//   - it is the first one after a confirmed level, that is after two wrong values
//     in a row that agree with each other;
//   - it follows a confirmed level out of which it may have grown: by MaxPerHour,
//     or without MaxPerHour because the level has moved or has stood for a day.
//     Then until an installation record;
//   - it is a dated record, and the newest known one of its series is wrong;
//   - the rules are wrong: limits, MaxPerHour, a width, an installation record
//     that is not what stands there.
package verdict
