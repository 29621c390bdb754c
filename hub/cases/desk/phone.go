package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
)

// Mine returns the open cases that a person reported, the latest first, at most limit
// of them.
func (d *Desk) Mine(ctx context.Context, person cases.PersonID, limit int) ([]Summary, error) {
	var rows []caseRow
	err := d.db.Read.NewSelect().Model(&rows).Join("JOIN case_entries AS e ON e.case_id = case_row.id").
		Where("e.number = 1 AND e.person = ? AND case_row.open = 1", string(person)).OrderExpr("e.seq DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, sqldb.Explain("list a person's reports", err)
	}
	now, out := d.now(), make([]Summary, len(rows))
	for n := range rows {
		if out[n], err = rows[n].summary(now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ErrNoUpload says that nothing was taken under a client id.
var ErrNoUpload = errors.New("no upload has this client id")

// Upload is what became of an upload: the entry that it made, and who sent it.
type Upload struct {
	Case   cases.CaseID
	Number uint32
	State  cases.State // of the case now
	Act    cases.Act
	Person cases.PersonID
}

// UploadBy returns what was taken under a client id, or ErrNoUpload. A device asks when
// it has no answer to what it sent.
func (d *Desk) UploadBy(ctx context.Context, clientID string) (Upload, error) {
	var u Upload
	err := d.db.Read.NewRaw("SELECT u.case_id, u.number, c.state, e.act, e.person FROM case_uploads AS u JOIN cases AS c ON c.id = u.case_id "+
		"JOIN case_entries AS e ON e.case_id = u.case_id AND e.number = u.number WHERE u.client_id = ?", clientID).Scan(ctx, &u.Case, &u.Number, &u.State, &u.Act, &u.Person)
	if errors.Is(err, sql.ErrNoRows) {
		return Upload{}, fmt.Errorf("client id %.40q: %w", clientID, ErrNoUpload)
	}
	return u, sqldb.Explain("look an upload up", err)
}
