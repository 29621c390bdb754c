package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// tokenTable says whom a token belongs to, by the tokens' digests.
type tokenTable[T any] []tokenEntry[T]

type tokenEntry[T any] struct {
	of     T
	digest [sha256.Size]byte
}

// add takes in one that text, "sha256:" and hexadecimal digits, is the digest of. It
// refuses what stands twice: the token, or one that same says is the same.
func (t *tokenTable[T]) add(text string, of T, same func(T) bool) error {
	digest, err := parseTokenDigest(text)
	if err != nil {
		return err
	}
	for n := range *t {
		if e := &(*t)[n]; e.digest == digest || same(e.of) {
			return errors.New("the name or the token stands twice")
		}
	}
	*t = append(*t, tokenEntry[T]{of, digest})
	return nil
}

// find compares with every token, whichever it is.
func (t tokenTable[T]) find(token string) (of T, ok bool) {
	digest := sha256.Sum256([]byte(token))
	for n := range t {
		if subtle.ConstantTimeCompare(t[n].digest[:], digest[:]) == 1 {
			of, ok = t[n].of, true
		}
	}
	return of, ok
}

func parseTokenDigest(text string) (digest [sha256.Size]byte, err error) {
	raw, isSHA := strings.CutPrefix(text, "sha256:")
	b, err := hex.DecodeString(raw)
	if !isSHA || err != nil || len(b) != len(digest) {
		return digest, errors.New("token: want sha256: and 64 hexadecimal digits, as citygrid token prints them; the token itself does not belong here")
	}
	if [sha256.Size]byte(b) == sha256.Sum256(nil) {
		return digest, errors.New("token: it is the digest of nothing; draw a token with citygrid token")
	}
	return [sha256.Size]byte(b), nil
}

// bearer returns the bearer token of a request [RFC 6750 2.1], or "".
func bearer(ctx huma.Context) string { return bearerOf(ctx.Header("Authorization")) }

func bearerOf(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// inTurn runs do once one of places is free, and reports false where none was within
// heavyWait. A client that has gone gets no answer.
func inTurn(ctx context.Context, places chan struct{}, do func()) bool {
	wait := time.NewTimer(heavyWait)
	defer wait.Stop()
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		do()
	case <-ctx.Done():
	case <-wait.C:
		return false
	}
	return true
}
