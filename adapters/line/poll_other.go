//go:build !unix

package line

// openRaw does nothing: a descriptor cannot be read here without waiting.
func (k *link) openRaw() {}
