package enrolment

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"citygrid/internal/secret"
	"citygrid/schemas/seal"
)

// Masters is where the master keys of a tenant come from.
type Masters interface {
	// Master returns the master key of a generation.
	Master(ctx context.Context, generation uint8) (*seal.Master, error)
}

// OpenRing returns the master keys that the list has in use. Those that have holds
// already are not asked for again; nil for none.
func OpenRing(ctx context.Context, l *List, from Masters, have *seal.Ring) (*seal.Ring, error) {
	var masters []*seal.Master
	for _, generation := range l.MastersInUse() {
		var m *seal.Master
		if have != nil {
			m = have.Master(generation)
		}
		if m == nil {
			var err error
			if m, err = from.Master(ctx, generation); err != nil {
				return nil, err
			}
		}
		if m.Generation != generation {
			return nil, fmt.Errorf("master key %d was asked for and %d came: a file of the key folder is in the wrong place", generation, m.Generation)
		}
		masters = append(masters, m)
	}
	return seal.NewRing(masters...)
}

// MasterFile returns where the sealed master key of a generation lies, beside the
// first, whose path is given: keys/master.key, keys/master-2.key.
func MasterFile(first string, generation uint8) string {
	if generation == 1 {
		return first
	}
	ext := filepath.Ext(first)
	return strings.TrimSuffix(first, ext) + "-" + strconv.Itoa(int(generation)) + ext
}

// SealedFiles are master keys in files that a passphrase opens.
type SealedFiles struct {
	// First is the path of the file of generation 1.
	First      string
	Passphrase secret.Secret
}

// Master opens the file of a generation; it takes about a second.
func (s SealedFiles) Master(_ context.Context, generation uint8) (*seal.Master, error) {
	path := MasterFile(s.First, generation)
	m, err := seal.ReadMaster(path, s.Passphrase)
	if errors.Is(err, fs.ErrNotExist) {
		hint := "citygrid keys init makes it"
		if generation > 1 {
			hint = "citygrid keys rotate --master has made it; copy the whole key folder"
		}
		return nil, fmt.Errorf("%w; %s", err, hint)
	}
	return m, err
}

// DefaultTimeout bounds the program of a Command.
const DefaultTimeout = 10 * time.Second

// Command gets master keys from a program, such as the client of a key service: it
// prints the key of 32 bytes in hexadecimal digits on standard output, alone.
type Command struct {
	// Args are the program and its arguments, in which {generation} and {tenant} are
	// replaced.
	Args   []string
	Tenant string
	// Timeout ends the program; 0 is DefaultTimeout.
	Timeout time.Duration
}

// Master runs the program. What it prints on standard error is part of the error;
// what it prints on standard output never is.
func (c Command) Master(ctx context.Context, generation uint8) (*seal.Master, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("master key: no program to run")
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = place(a, c.Tenant, generation)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes
	var out, complaint bounded
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	defer clear(out.data)
	if ctx.Err() != nil {
		err = fmt.Errorf("not done within %v", c.Timeout)
	}
	if err != nil {
		return nil, fmt.Errorf("master key %d from the program %s: %w: %s", generation, args[0], err, strings.TrimSpace(string(complaint.data)))
	}
	m, err := masterOfHex(out.data, c.Tenant, generation)
	if err != nil {
		return nil, fmt.Errorf("master key %d from the program %s: standard output: %w", generation, args[0], err)
	}
	return m, nil
}

// HexSource gets master keys in hexadecimal digits from where a passphrase may be,
// in which {generation} and {tenant} are replaced: env:NAME, file:PATH or fd:N.
type HexSource struct {
	Source, Tenant string
}

// Master reads the source.
func (h HexSource) Master(_ context.Context, generation uint8) (*seal.Master, error) {
	text, err := seal.ReadPassphrase(place(h.Source, h.Tenant, generation))
	if err != nil {
		return nil, fmt.Errorf("master key %d: %w", generation, err)
	}
	data := text.Reveal()
	defer clear(data)
	m, err := masterOfHex(data, h.Tenant, generation)
	if err != nil {
		return nil, fmt.Errorf("master key %d: %w", generation, err)
	}
	return m, nil
}

// NotIncluded stands for interfaces to key hardware that this program does not have:
// PKCS #11 and SDF [GM/T 0018].
type NotIncluded struct{ Interface string }

// Master refuses, and says what to do.
func (n NotIncluded) Master(context.Context, uint8) (*seal.Master, error) {
	return nil, fmt.Errorf("master key: %s is not included in this program, which is built without C libraries: "+
		"let a program of the maker of the device unwrap the master key and print it, and name that program as master.command", n.Interface)
}

// place fills in the tenant and the generation.
func place(text, tenant string, generation uint8) string {
	return strings.NewReplacer("{generation}", strconv.Itoa(int(generation)), "{tenant}", tenant).Replace(text)
}

// masterOfHex does not repeat what it was given.
func masterOfHex(text []byte, tenant string, generation uint8) (*seal.Master, error) {
	key := make([]byte, hex.DecodedLen(len(text)))
	defer clear(key)
	text = bytes.TrimSpace(text)
	n, err := hex.Decode(key, text)
	if err != nil || n != seal.SecretSize {
		return nil, fmt.Errorf("want %d hexadecimal digits and nothing else", 2*seal.SecretSize)
	}
	return seal.NewMaster(tenant, generation, bytes.NewReader(key[:n]))
}

// bounded keeps the first bytes of what a program prints.
type bounded struct{ data []byte }

const mostPrinted = 1 << 10

// Write takes everything and keeps a beginning.
func (b *bounded) Write(p []byte) (int, error) {
	b.data = append(b.data, p[:min(len(p), mostPrinted-len(b.data))]...)
	return len(p), nil
}
