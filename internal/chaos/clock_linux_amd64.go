package chaos

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// setClock sets the wall clock of one running process off by so much, in whole seconds,
// and leaves its monotonic clock and every other process alone: what a person or NTP
// does to a whole machine. Programs in Go ask the kernel's vDSO for the time
// [vdso(7)]; its function is replaced, in that process alone, by one that asks the
// kernel itself [clock_gettime(2)] and adds the offset.
func setClock(pid int, offset time.Duration) error {
	image, base, err := readVDSO(pid)
	if err != nil {
		return err
	}
	at, room, err := findFunction(image, "__vdso_clock_gettime")
	if err != nil {
		return err
	}
	code := clockCode(int64(offset / time.Second))
	if uint64(len(code)) > room {
		return fmt.Errorf("the vDSO's clock_gettime has %d bytes, which is too short to be replaced", room)
	}
	return whileOutside(pid, base, base+uint64(len(image)), func() error {
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt(code, int64(base+at))
		return err
	})
}

// clockCode is clock_gettime(clock, *timespec) in machine code:
//
//	push rdi; push rsi; mov eax, 228; syscall; pop rsi; pop rdi
//	test eax, eax; jne end; test edi, edi; jne end    only CLOCK_REALTIME, which is 0
//	mov rcx, offset; add [rsi], rcx
//	end: ret
func clockCode(seconds int64) []byte {
	code := []byte{0x57, 0x56, 0xb8, 228, 0, 0, 0, 0x0f, 0x05, 0x5e, 0x5f, 0x85, 0xc0, 0x75, 0x11, 0x85, 0xff, 0x75, 0x0d, 0x48, 0xb9}
	code = binary.LittleEndian.AppendUint64(code, uint64(seconds))
	return append(code, 0x48, 0x01, 0x0e, 0xc3)
}

// readVDSO returns the vDSO of a process and where it is.
func readVDSO(pid int) (image []byte, base uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.Contains(line, "[vdso]") {
			continue
		}
		var end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &base, &end); err != nil {
			return nil, 0, err
		}
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return nil, 0, err
		}
		defer f.Close()
		image = make([]byte, end-base)
		_, err = f.ReadAt(image, int64(base))
		return image, base, err
	}
	return nil, 0, errors.New("the process has no vDSO")
}

func findFunction(image []byte, name string) (at, size uint64, err error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, 0, err
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return 0, 0, err
	}
	for _, s := range symbols {
		if s.Name == name {
			return s.Value, s.Size, nil
		}
	}
	return 0, 0, fmt.Errorf("the vDSO has no %s", name)
}

// whileOutside calls do while the process stands still and none of its threads is
// between two addresses.
func whileOutside(pid int, from, to uint64, do func() error) error {
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	for range 100 {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		inside, err := anyInside(pid, from, to)
		for tries := 0; errors.Is(err, errMoving) && tries < 500; tries++ { // on a busy machine a thread stops late
			time.Sleep(time.Millisecond)
			inside, err = anyInside(pid, from, to)
		}
		if err == nil && !inside {
			return do()
		}
		_ = syscall.Kill(pid, syscall.SIGCONT)
		time.Sleep(time.Millisecond)
	}
	return errors.New("the process never stood still outside its vDSO")
}

// errMoving: a thread has not stopped yet.
var errMoving = errors.New("a thread runs")

// anyInside reports whether a thread's next instruction is between two addresses
// [proc(5), /proc/pid/syscall].
func anyInside(pid int, from, to uint64) (bool, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil || len(files) == 0 {
		return false, errors.Join(err, os.ErrNotExist)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		fields := strings.Fields(string(data))
		if len(fields) < 2 {
			return false, errMoving
		}
		next, err := strconv.ParseUint(strings.TrimPrefix(fields[len(fields)-1], "0x"), 16, 64)
		if err != nil {
			return false, err
		}
		if next >= from && next < to {
			return true, nil
		}
	}
	return false, nil
}
