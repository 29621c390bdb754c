package brokerconfig

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The form is that of mosquitto_passwd 2.0: $7$iterations$salt$hash, salt and
// hash in base64, PBKDF2 [RFC 8018 5.2] with HMAC-SHA-512, 64 bytes. One hash
// serves the embedded broker and Mosquitto.
const (
	hashPrefix = "$7$"
	hashBytes  = 64
	saltBytes  = 12 // what mosquitto 2.0 writes and reads

	// iterations is low for a person's password, and enough for the random
	// ones that machines use (NewPassword, 256 bits): a broker checks them one
	// after the other when all collectors return at once.
	iterations    = 1000
	maxIterations = 10_000_000
)

// minPassword is the least length, in bytes, that HashPassword takes.
const minPassword = 16

// NewPassword returns a random password of 256 bits, 43 characters of the URL
// alphabet of base64.
func NewPassword() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashPassword returns the hash under which the enrolment list keeps password.
// It refuses passwords of fewer than 16 bytes: these are secrets of machines,
// so let NewPassword make them.
func HashPassword(password string) (string, error) {
	if len(password) < minPassword {
		return "", fmt.Errorf("password of %d bytes: want %d or more; let the program make one", len(password), minPassword)
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt)
	key, err := pbkdf2.Key(sha512.New, password, salt, iterations, hashBytes)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	enc := base64.StdEncoding
	return fmt.Sprintf("%s%d$%s$%s", hashPrefix, iterations, enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// CheckPassword reports whether hash was made of password. It compares in
// constant time and is false for a malformed hash.
func CheckPassword(hash, password string) bool {
	h, err := parseHash(hash)
	if err != nil {
		return false
	}
	key, err := pbkdf2.Key(sha512.New, password, h.salt, h.iterations, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

type passwordHash struct {
	iterations int
	salt, key  []byte
}

var errHash = errors.New("password hash: want $7$iterations$salt$hash as mosquitto_passwd and `citygrid` write it")

func parseHash(s string) (passwordHash, error) {
	rest, ok := strings.CutPrefix(s, hashPrefix)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return passwordHash{}, errHash
	}
	n, err := strconv.Atoi(parts[0])
	if err != nil || n < 1 || n > maxIterations || strconv.Itoa(n) != parts[0] {
		return passwordHash{}, fmt.Errorf("%w: iterations %q", errHash, parts[0])
	}
	enc := base64.StdEncoding.Strict()
	salt, err := enc.DecodeString(parts[1])
	if err != nil || len(salt) < 8 || len(salt) > 64 || strings.ContainsAny(parts[1], "\r\n") {
		return passwordHash{}, fmt.Errorf("%w: bad salt", errHash)
	}
	key, err := enc.DecodeString(parts[2])
	if err != nil || len(key) != hashBytes || strings.ContainsAny(parts[2], "\r\n") {
		return passwordHash{}, fmt.Errorf("%w: bad hash", errHash)
	}
	return passwordHash{n, salt, key}, nil
}
