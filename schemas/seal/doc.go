// Package seal carries bytes between a collector and the hub so that nobody in
// between can read, change or replay them: the SM4-GCM envelope, the keys it is
// made with, and the tracker that tells new messages from old ones.
//
// The byte-level specification is schemas/envelope.md; the vectors are in
// testdata. An envelope is a COSE_Encrypt0 [RFC 9052 5.2] in one fixed,
// deterministic shape: there is exactly one way to write a message, and a
// receiver refuses every other.
//
// Two implementations of SM4 and SM3 stand behind it, emmansun/gmsm for speed
// and tjfoc/gmsm as an independent check. Programs call SelfTest before they
// touch a key and refuse to start when it fails. This package is the only one
// that imports either library.
package seal
