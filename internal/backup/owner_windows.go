package backup

import "io/fs"

// ownerOf is not asked: nobody is root.
func ownerOf(fs.FileInfo) (uid, gid int) { return -1, -1 }
