package schemas

import "testing"

// FuzzDecodeCommand: a command that is accepted has one encoding.
func FuzzDecodeCommand(f *testing.F) {
	f.Add(mustEncode(f, EncodeCommand, sampleCommand()))
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeCommand, EncodeCommand) })
}

// FuzzDecodeAccounts is FuzzDecodeBatch from batches with accounts of slots.
func FuzzDecodeAccounts(f *testing.F) {
	f.Add(mustEncode(f, EncodeBatch, sampleAccounts()))
	f.Add(mustEncode(f, EncodeBatch, sampleBoth()))
	f.Fuzz(func(t *testing.T, data []byte) { checkAccepted(t, data, DecodeBatch, EncodeBatch) })
}
