//go:build !linux

package child

import "syscall"

// attributes has nothing to set: these systems know no signal on the death of
// the parent, so a caller that is killed leaves its child running.
func attributes() *syscall.SysProcAttr { return nil }

// usageOf is not told by these systems while the child runs.
func usageOf(int) Usage { return Usage{} }
