//go:build !linux || !amd64

package chaos

import (
	"errors"
	"time"
)

// setClock needs the vDSO of Linux and machine code of the processor.
func setClock(int, time.Duration) error {
	return errors.New("the clock of one process can be set on Linux on amd64 only")
}
