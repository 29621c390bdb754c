//go:build unix

package backup

import (
	"io/fs"
	"syscall"
)

// ownerOf returns user and group; -1, which changes nothing, where they are not known.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return -1, -1
}
