//go:build !linux

package spool

import "os"

// syncData falls back to a full sync where fdatasync is not offered.
func syncData(f *os.File) error { return f.Sync() }
