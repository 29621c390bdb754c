package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// HashCost is what one password costs to check with Argon2id.
type HashCost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultHash returns the second recommended choice of RFC 9106 (4): 64 MiB, three
// passes, four lanes.
func DefaultHash() HashCost { return HashCost{MemoryKiB: 64 << 10, Passes: 3, Lanes: 4} }

// Bounds of what a stored hash may ask for: a damaged database must not take the
// memory of the machine.
const (
	maxMemoryKiB = 1 << 20
	maxPasses    = 64
	saltBytes    = 16
	hashBytes    = 32
)

func (c HashCost) check() error {
	if c.Lanes < 1 || c.Passes < 1 || c.Passes > maxPasses || c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > maxMemoryKiB {
		return fmt.Errorf("cost of passwords: %d KiB, %d passes, %d lanes: want 8 KiB a lane to 1 GiB, 1 to %d passes, at least 1 lane", c.MemoryKiB, c.Passes, c.Lanes, maxPasses)
	}
	return nil
}

// storedHash is a password as it is stored.
type storedHash struct {
	cost HashCost
	salt []byte
	sum  []byte
}

var errHash = errors.New("the stored hash of a password is damaged; invite the person again")

// String returns the PHC form: $argon2id$v=19$m=65536,t=3,p=4$SALT$SUM, in Base64
// without padding [github.com/P-H-C/phc-string-format].
func (h storedHash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, b64(h.salt), b64(h.sum))
}

// parseHash reads what String writes and nothing else.
func parseHash(text string) (h storedHash, err error) {
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, errHash
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.cost.MemoryKiB, &h.cost.Passes, &h.cost.Lanes); err != nil {
		return h, errHash
	}
	strict := base64.RawStdEncoding.Strict()
	var saltErr, sumErr error
	h.salt, saltErr = strict.DecodeString(part[4])
	h.sum, sumErr = strict.DecodeString(part[5])
	if saltErr != nil || sumErr != nil || len(h.salt) != saltBytes || len(h.sum) != hashBytes || h.cost.check() != nil || h.String() != text {
		return storedHash{}, errHash
	}
	return h, nil
}

// hasher bounds how many passwords are worked on at once, and how many wait.
type hasher struct {
	places chan struct{}
	queue  chan struct{}
	done   atomic.Int64 // hashes computed
}

func newHasher(atOnce, waiting int) *hasher {
	return &hasher{places: make(chan struct{}, atOnce), queue: make(chan struct{}, atOnce+waiting)}
}

// sum computes one hash when its turn has come, or returns ErrBusy.
func (k *hasher) sum(ctx context.Context, password []byte, salt []byte, c HashCost) ([]byte, error) {
	select {
	case k.queue <- struct{}{}:
		defer func() { <-k.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case k.places <- struct{}{}:
		defer func() { <-k.places }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to check a password: %w", ctx.Err())
	}
	k.done.Add(1)
	return argon2.IDKey(password, salt, c.Passes, c.MemoryKiB, c.Lanes, hashBytes), nil
}

// draw hashes a new password.
func (k *hasher) draw(ctx context.Context, password string, c HashCost) (string, error) {
	salt := chance(saltBytes)
	sum, err := k.sum(ctx, []byte(password), salt, c)
	return storedHash{cost: c, salt: salt, sum: sum}.String(), err
}

// matches does the work of one check whatever it is given. A damaged hash matches
// nothing.
func (k *hasher) matches(ctx context.Context, password string, h storedHash) (bool, error) {
	sum, err := k.sum(ctx, []byte(password), h.salt, h.cost)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1, err
}

// decoy is what the password of somebody without one is checked against: it matches
// with a chance of 2^-256.
func decoy(c HashCost) storedHash {
	return storedHash{cost: c, salt: chance(saltBytes), sum: chance(hashBytes)}
}
