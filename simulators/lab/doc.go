// Package lab is a simulated physical line: slaves of several protocols on one
// wire, behind a pseudo-terminal or a transparent serial server (RTU, DL/T 645
// and CJ/T 188 as raw bytes over TCP), with the byte timing of a real wire and
// seeded faults on demand.
//
// The lab knows of a protocol only where its frames have their address and
// their check, which it needs for the faults. What a meter answers is the
// business of its Slave.
package lab
