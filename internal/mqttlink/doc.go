// Package mqttlink keeps one MQTT 3.1.1 session with a broker alive: it
// connects, subscribes, runs the caller's session, and, when the link is lost,
// backs off and begins again.
//
// It promises what the MQTT library beneath it does not:
//
//   - A publish is reported as delivered only when the broker acknowledged it
//     on the connection that it was sent on. The library's own reconnecting
//     reports unacknowledged publishes as delivered, so it is switched off and
//     every connection has a client of its own.
//   - Nothing is published while the link is down: what must survive lies in
//     the caller's spool, not in a queue in memory.
//   - A received message stays the broker's until Message.Ack. What was not
//     acknowledged when the link was lost is sent again by the broker, if the
//     session is a persistent one (Config.CleanSession false).
//   - A subscription that the broker refuses ends the connection with an error
//     that names the filter; the library reports it as a success.
//   - A broker that takes publishes and acknowledges none ends the connection
//     after Config.PubackTimeout.
//
// An acknowledged publish is in the broker's hands and no further: brokers
// acknowledge and drop what a user may not publish. Only the hub's receipt
// says that a reading is stored.
package mqttlink
