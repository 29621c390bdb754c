// Package line owns a physical line: a serial port, a Modbus TCP gateway, or a
// transparent serial server. Several meters and several protocols may share it;
// one request is under way at a time, and at most one connection is open.
//
// A driver takes the line's turn (Line.Begin), asks (Turn.Ask) and gives the
// turn back (Turn.End). What a frame looks like and whose answer it is, is the
// driver's Request; when bytes may be sent, how long to wait, and what an error
// means for the connection is decided here, once for all protocols:
//
//   - Whatever arrived before a request is never part of its answer.
//   - On a wire (Config.Serial) nothing is sent before the line has been silent
//     for 3.5 characters, counted from the last byte in either direction.
//   - After an error that leaves doubt about what may still arrive, nothing is
//     sent for the quiet time: a network connection is closed at once, so that
//     late bytes die with it, and a port is read empty until it was silent.
//   - The end of a frame is known by its length, never by a timer.
//
// Sources: MODBUS over Serial Line V1.02 2.5.1.1 for the silences; the same
// times are longer than those of DL/T 645-2007 and CJ/T 188 ask for.
package line
