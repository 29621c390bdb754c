package accounts

import "fmt"

// InputError says which value cannot be, for who gave it.
type InputError struct {
	// Field is the name of the value: id, name, role, roles, department, utility or utilities.
	Field   string
	Problem string
}

// Error says what is wanted.
func (e *InputError) Error() string { return e.Problem }

func wrong(field, format string, args ...any) error {
	return &InputError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// plural counts things for the audit log.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
