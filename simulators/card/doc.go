// Package card is a simulated CPU card of one city for power, water and gas: a
// small COS that is spoken to in APDUs [ISO/IEC 7816-4] with the manners of T=0,
// in the same process (Card.Transmit) or as the card in the virtual reader of
// pcscd (Serve). It shares no code with the adapters that it is to test.
//
// # Folders and files
//
// Lengths are those of real multi-utility cards [metering 4.4]. An elementary
// file has the identifier 00 and SFI, for READ and UPDATE BINARY with an offset
// of 15 bits; a folder can be selected by identifier from anywhere, or by its
// name, F0 "CITYGRID" and the identifier.
//
//	folder      SFI  bytes  file                          who may write
//	3F00 MF      01     39  public file                   nobody
//	             19      9  00 and the serial at offset 1  nobody
//	DF01 power   01     45  parameter file                terminal
//	             02      8  wallet                        terminal; meter: not upwards
//	             03    258  current price                 terminal
//	             04    258  spare price                   terminal
//	             05     49  return file                   meter
//	DF02 water   01     50  purchase file                 terminal
//	DF03 gas     02    124  return file                   meter
//	             03      8  wallet                        terminal; meter: not upwards
//	             07    106  steps                         terminal
//	             19    106  steps, spare                  terminal
//
// A wallet is an amount of 4 bytes and a purchase count of 4 bytes, both
// big-endian. A meter may lower or clear the amount and must leave the count.
// Return, price and step files of a new card are all 00; parameter and purchase
// files of a new card are whole, with card type 01 (open account), the numbers of
// meter and customer, and no amount.
//
// No document that we have says what the public file holds, so its layout is our
// own: issuer 4 bytes BCD, serial 8, layout 01, applications 1 (bit 0 power, bit 1
// water, bit 2 gas), customer 6 bytes BCD, and 19 of 00.
//
// # Security
//
// Reading is free. Each application has two keys: 01 of terminals (vending) and
// 02 of meters. To write, a party
//
//  1. selects the application, which forgets any earlier authentication,
//  2. answers GET CHALLENGE of 8 bytes by EXTERNAL AUTHENTICATE with its key:
//     00 82 00 key 08 and the first 8 bytes of SM4(key, challenge, 8 bytes 00),
//  3. for each write takes a challenge of 4 or 8 bytes and sends
//     04 D6 (80|SFI) offset Lc data mac4, where the MAC is the first 4 bytes of the
//     SM4 CBC-MAC with the same key over CLA INS P1 P2 Lc data, padded with 80 00..,
//     beginning from the challenge padded with 00 to 16 bytes.
//
// A challenge serves the very next command only (GET RESPONSE, which is
// transport, does not count). Three wrong cryptograms in a row block a key for good.
// INTERNAL AUTHENTICATE (00 88 00 key 08 random) answers the same cryptogram of the
// other side's random, and READ BINARY with CLA 04 adds the MAC of header, Le and
// data to what it reads, after EXTERNAL AUTHENTICATE and GET CHALLENGE.
//
// A write is whole or has not been; files and the tries left of a key outlive
// Reset and removal, everything else does not.
//
// # Test keys
//
// The keys are published here and therefore worth nothing. They must never come to
// guard money, so they are tied to the simulator from both sides: New makes only
// cards whose serial begins with 00000000 (SimulatorIssuer) and whose issuer is of a
// city 00xx, which no city has (codes of GB/T 2260 begin with 11 and above), and
// TestSAM and MeterSAM return an error for any other serial. A collector that is
// given TestSAM by mistake thus fails at the first real card, before it has cost
// that card a try.
package card
