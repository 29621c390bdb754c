// Package certs is a small certificate authority for a first installation, and
// the TLS of the listeners that use its certificates: TLS 1.3, client
// certificates, a revocation list, and files that are read again while the
// program runs.
//
// Everything is X.509 [RFC 5280] from the standard library: ECDSA P-256 with
// SHA-256, which Go, NATS, OpenSSL (Mosquitto), Erlang (EMQX) and every browser
// take. The authority's key is sealed by a passphrase in the standard's own form
// (PBES2 [RFC 8018]), so that openssl opens it too.
package certs
