// Package gm gives the Chinese algorithms outside the envelope: SM3 for digests of
// files, SM4 for the simulator's cards. It is a thin name for one library, so that
// changing it touches one folder.
package gm

import (
	"crypto/cipher"
	"hash"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// NewSM3 returns a new SM3 hash of 32 bytes [GB/T 32905].
func NewSM3() hash.Hash { return sm3.New() }

// SumSM3 returns the SM3 digest of data [GB/T 32905].
func SumSM3(data []byte) [32]byte { return sm3.Sum(data) }

// NewSM4 returns the SM4 block cipher with a key of 16 bytes [GB/T 32907].
func NewSM4(key []byte) (cipher.Block, error) { return sm4.NewCipher(key) }
