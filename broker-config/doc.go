// Package brokerconfig is everything about the broker between collectors and
// hub: who may do what (Access, made of the enrolment list), the embedded
// broker that enforces it (Start: a NATS server with JetStream and its MQTT
// listener), and the same rules as files for a Mosquitto of one's own
// (RenderMosquitto).
//
// The folder also holds ready configuration for people: nats/, mosquitto/,
// emqx/ and certificates.md; README.md says which to take.
//
// Two rules hold at every broker. A user's name is its MQTT client id, so that
// nobody can end or inherit the session of another. And no broker tells a
// client that its publish was forbidden: it acknowledges and drops, which is
// why only the hub's receipt frees a collector's spool.
package brokerconfig
