package seal

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"citygrid/internal/secret"
)

// ReadPassphrase reads a passphrase from where source says:
//
//	fd:N       file descriptor N (0, or 3 and above), to its end; it is closed
//	file:PATH  a regular file that strangers may not read
//	env:NAME   an environment variable, which is removed from the environment
//	           so that no child process inherits it
//
// One line end is cut off. There is no source on the command line, where every
// user of the machine could read it. An empty passphrase is an error.
// The caller says what was read: programs read passwords and tokens this way too.
func ReadPassphrase(source string) (secret.Secret, error) {
	kind, what, _ := strings.Cut(source, ":")
	var data []byte
	var err error
	switch kind {
	case "fd":
		data, err = readDescriptor(what)
	case "file":
		data, err = readPrivate(what, strangers)
	case "env":
		data, err = takeVariable(what)
	default: // the text may be the passphrase itself: do not repeat it
		err = errorf(ConfigBad, "want fd:N, file:PATH or env:NAME")
	}
	defer clear(data)
	if err != nil {
		return secret.Secret{}, err
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		return secret.Secret{}, errorf(ConfigBad, "%s is empty", source)
	}
	return secret.New(data), nil
}

func readDescriptor(number string) ([]byte, error) {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 1 || n == 2 {
		return nil, errorf(ConfigBad, "fd:%s: want 0, or 3 and above", number)
	}
	f := os.Stdin
	if n != 0 {
		if f = os.NewFile(uintptr(n), "fd:"+number); f == nil {
			return nil, errorf(ConfigBad, "fd:%s is not open", number)
		}
		defer f.Close()
	}
	return readBounded("fd:"+number, f)
}

func takeVariable(name string) ([]byte, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		return nil, errorf(ConfigBad, "environment variable %s is not set", name)
	}
	return []byte(value), os.Unsetenv(name)
}
