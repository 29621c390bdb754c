//go:build !linux

package line

import "time"

// napTime is the longest wait that nap is used for: none.
const napTime = 0

func (k *link) nap(time.Duration) error { return nil }
