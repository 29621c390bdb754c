package books

import (
	"database/sql"
	"errors"
)

// each scans every row into dest and calls do, then closes rows.
func each(rows *sql.Rows, dest []any, do func() error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}
