// Package year makes a year in the life of a city's prepaid meters, and knows what
// is wrong with it: it is the oracle of the reconciliation. It implements
// docs/reconciliation.md from the other side and shares nothing with the hub but
// that page, the schemas and the tariff file's format.
//
// # The world
//
// A place is a meter of a household; four households have ten places. Two in
// three are read over their line: a state every third day, at the 1st of each
// month at 00:00, and after each load, whose record comes too. Of the others the
// books learn what the card's return file says when the customer next shows it,
// which is before the hold of an unloaded purchase is over. Purses hold money,
// litres or watt-hours; prices are flat, stepped or by time of use, change once,
// and steps begin anew on January 1st. Everything is installed new in the first
// three weeks, with purchase 1.
//
// Some things look odd and are right: channels with a cut-off of 23:00, clocks of
// channels half a minute and of meters nine minutes off, payments settled a day
// late, purchases loaded up to 25 days after, refunds and reversals with their
// clear entry, the number sold again, cards and meters replaced with and without
// a purchase on its way, loads told twice, registers in tens, purses that lag by
// a quarter of an hour, meters without registers by rate.
//
// # What is wrong
//
// Options.Discrepancies facts are wrong, at most one in a household, in which
// nothing odd happens besides. Each is in the list of its place and in
// World.Injected, with what docs/reconciliation.md says that it must report. Each
// stands at a month's end after its hold and never clears. Causes names them.
//
// A world is a function of its options: the same whatever GOMAXPROCS is and in
// whatever order places are asked for.
//
// # Files
//
// World.WriteFiles writes what channels send: of each accounting day, utility and
// channel a file of sales and one of payments, numbered 1, also when nothing was
// sold: DAY/CONTENT-UTILITY-CHANNEL-DAY-1.csv, as docs/settlement-files.md has it:
//
//	#citygrid,1,sales,water,cash,2026-03-05,1
//	order,kind,meter_number,customer,card,purchase,amount,volume,undoes,at,operator,terminal
//	C2026030500000170001,purchase,200000017001,H0000006,A500000000060001,1,150.00,,,2026-03-05T10:00:00+08:00,li,counter-3
//	#total,1,150.00,0.00,9c1e...
//
// The sum of money taken has every row but refunds and reversals. The digest is
// SM3 of all bytes before the line of the trailer. A terminal knows the number on
// the meter's plate and not its place.
//
// Channels cash, pos and wechat send that: UTF-8, LF. Channels bank and alipay
// send the same frame in GB 18030 with CRLF, Chinese column names and kinds, and
// the city's local time as 2026-03-05 10:00:00; Mapping says how to read them.
package year
