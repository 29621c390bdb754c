package seal

import (
	"crypto/cipher"
	"fmt"
	"hash"
	"sync"

	esm3 "github.com/emmansun/gmsm/sm3"
	esm4 "github.com/emmansun/gmsm/sm4"
	tsm3 "github.com/tjfoc/gmsm/sm3"
	tsm4 "github.com/tjfoc/gmsm/sm4"
)

// Sizes of SM4-GCM as this package uses it, in bytes [GB/T 32907, RFC 8998 2].
const (
	keySize   = 16
	nonceSize = 12
	tagSize   = 16
)

// Provider is an implementation of SM4-GCM and SM3. Its methods, and the AEADs
// it returns, are safe for concurrent use; a hash is not.
type Provider interface {
	// Name is what configuration calls the provider.
	Name() string
	// NewAEAD returns SM4-GCM with a 12-byte nonce and a 16-byte tag
	// [RFC 8998 A.1]. The key has 16 bytes.
	NewAEAD(key []byte) (cipher.AEAD, error)
	// NewHash returns SM3 [GB/T 32905].
	NewHash() hash.Hash
}

// The names of the two providers.
const (
	// Emmansun is the fast one: github.com/emmansun/gmsm.
	Emmansun = "emmansun"
	// Tjfoc is the independent second one: the block cipher of
	// github.com/tjfoc/gmsm under the standard library's GCM. That library's
	// own modes are wrong and are not used.
	Tjfoc = "tjfoc"
)

// ProviderByName returns the provider "emmansun" or "tjfoc".
func ProviderByName(name string) (Provider, error) {
	switch name {
	case Emmansun:
		return emmansun{}, nil
	case Tjfoc:
		return tjfoc{}, nil
	}
	return nil, errorf(ConfigBad, "unknown SM4 provider %q: want %q or %q", name, Emmansun, Tjfoc)
}

// DefaultProvider returns the fast provider.
func DefaultProvider() Provider { return emmansun{} }

// otherProvider returns the built-in provider that p is checked against.
func otherProvider(p Provider) Provider {
	if p.Name() == Emmansun {
		return tjfoc{}
	}
	return emmansun{}
}

// gcmMaker is what a block cipher with a GCM of its own offers. cipher.NewGCM
// asks for it too, but by a hook that the standard library would like to drop.
type gcmMaker interface {
	NewGCM(nonceSize, tagSize int) (cipher.AEAD, error)
}

func newGCM(block cipher.Block) (cipher.AEAD, error) {
	if fast, ok := block.(gcmMaker); ok {
		return fast.NewGCM(nonceSize, tagSize)
	}
	return cipher.NewGCM(block)
}

type emmansun struct{}

func (emmansun) Name() string       { return Emmansun }
func (emmansun) NewHash() hash.Hash { return esm3.New() }

func (emmansun) newBlock(key []byte) (cipher.Block, error) { return esm4.NewCipher(key) }

func (p emmansun) NewAEAD(key []byte) (cipher.AEAD, error) {
	block, err := p.newBlock(key)
	if err != nil {
		return nil, fmt.Errorf("emmansun: key SM4: %w", err)
	}
	return newGCM(block)
}

type tjfoc struct{}

func (tjfoc) Name() string       { return Tjfoc }
func (tjfoc) NewHash() hash.Hash { return appendingHash{tsm3.New()} }

func (tjfoc) newBlock(key []byte) (cipher.Block, error) {
	if _, err := tsm4.NewCipher(key); err != nil {
		return nil, err
	}
	key = append([]byte(nil), key...)
	b := &pooledBlock{}
	b.pool.New = func() any {
		block, _ := tsm4.NewCipher(key) // fails on a bad length only, and the length was good above
		return block
	}
	return b, nil
}

func (p tjfoc) NewAEAD(key []byte) (cipher.AEAD, error) {
	block, err := p.newBlock(key)
	if err != nil {
		return nil, fmt.Errorf("tjfoc: key SM4: %w", err)
	}
	return newGCM(block)
}

// pooledBlock lends each call a block of its own, because tjfoc's block keeps
// its scratch space in itself and gives wrong ciphertext when shared.
type pooledBlock struct{ pool sync.Pool }

func (b *pooledBlock) BlockSize() int { return tsm4.BlockSize }

func (b *pooledBlock) Encrypt(dst, src []byte) {
	c := b.pool.Get().(cipher.Block)
	c.Encrypt(dst, src)
	b.pool.Put(c)
}

func (b *pooledBlock) Decrypt(dst, src []byte) {
	c := b.pool.Get().(cipher.Block)
	c.Decrypt(dst, src)
	b.pool.Put(c)
}

// appendingHash gives tjfoc's SM3 the Sum that hash.Hash promises: its own
// hashes the argument and returns the digest alone.
type appendingHash struct{ hash.Hash }

func (h appendingHash) Sum(in []byte) []byte { return append(in, h.Hash.Sum(nil)...) }
