package cjt188

import (
	"citygrid/adapters/line"
	"citygrid/schemas"
)

var _ line.Traced = (*request)(nil)

// Protocol names CJ/T 188.
func (r *request) Protocol() string { return string(schemas.CJT188) }
