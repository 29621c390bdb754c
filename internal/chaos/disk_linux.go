package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// mount makes a small file system of its own at a folder; it needs root.
func mount(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=64m,mode=0700")
}

// unmount removes it, also while files of it are open.
func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

// inSync reports whether a thread of a process is in an fsync just now [proc(5),
// /proc/pid/syscall].
func inSync(pid int) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	for _, name := range files {
		data, _ := os.ReadFile(name) // the thread may have ended
		number, _, _ := strings.Cut(string(data), " ")
		if n, err := strconv.Atoi(number); err == nil && (n == syscall.SYS_FSYNC || n == syscall.SYS_FDATASYNC) {
			return true
		}
	}
	return false
}

// inodeOf numbers a file in its file system.
func inodeOf(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
