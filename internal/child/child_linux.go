package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attributes ties the child to this process: the kernel kills it when its
// parent ends, even by SIGKILL.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// ticksPerSecond is the unit of the times in /proc/PID/stat: USER_HZ, which is
// 100 on every architecture that Go runs Linux on [proc(5), time(7)].
const ticksPerSecond = 100

// usageOf measures a running process; what cannot be read is zero. Memory is
// VmHWM [proc(5)]: the maximum that wait4 gives also counts the memory of the
// parent that forked the child.
func usageOf(pid int) (u Usage) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			u.PeakRSS = kib * 1024
		}
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name of the program may hold blanks; the fields after it do not.
	// utime and stime are the 14th and 15th of all, counted from 1.
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		u.CPU = time.Duration(user+system) * time.Second / ticksPerSecond
	}
	return u
}
