package accounts

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/gm"
	"citygrid/internal/sqldb"
)

// Act is what was done.
type Act string

// The acts of the audit log.
const (
	ActSetUp        Act = "set_up"
	ActSignIn       Act = "sign_in"
	ActSignInFailed Act = "sign_in_failed"
	ActSignOut      Act = "sign_out"
	ActSignOutAll   Act = "sign_out_all"
	ActAdd          Act = "add_person"
	ActChange       Act = "change_person"
	ActDisable      Act = "disable_person"
	ActEnable       Act = "enable_person"
	ActForget       Act = "forget_person"
	ActInvite       Act = "invite"
	ActPassword     Act = "set_password"
	ActPasswordBad  Act = "change_password_failed"
	ActToken        Act = "draw_token"
	ActRevoke       Act = "revoke_token"
	ActImport       Act = "import"
	ActExport       Act = "export"
	ActPersonal     Act = "read_personal_data"
	ActCards        Act = "read_card_data"
	ActCloseDay     Act = "close_day"
)

// Entry is one line of the audit log. It names people by number only, so that the log
// can stay when a person is forgotten.
type Entry struct {
	Seq     int64
	At      time.Time
	Actor   PersonKey // 0: the hub, or nobody who is known
	Act     Act
	Subject PersonKey // 0: none
	Detail  string
	// From is the address that it came from; empty when it is not known or forgotten.
	From string
	// Digest is the SM3 of the entry and of the digest before it, in hexadecimal digits.
	Digest string
}

// Head is the end of the log at some time. Kept elsewhere, it shows later whether
// entries at the end have been cut off or all have been written anew.
type Head struct {
	Seq    int64
	Digest string
}

type auditRow struct {
	Seq          int64
	AtMs         int64
	Actor        int64
	Act          string
	Subject      int64
	Detail       string
	Origin       string
	Salt         string
	OriginDigest string
	Digest       string
}

// chained is what a digest is made from, as JSON in this order. The origin is in it by
// a salted digest, and can therefore be forgotten without breaking the chain.
type chained struct {
	Previous string `json:"previous"`
	Seq      int64  `json:"seq"`
	AtMs     int64  `json:"at_ms"`
	Actor    int64  `json:"actor"`
	Act      string `json:"act"`
	Subject  int64  `json:"subject"`
	Detail   string `json:"detail"`
	Origin   string `json:"origin"`
}

func (r *auditRow) chain(previous string) (string, error) {
	text, err := json.Marshal(chained{Previous: previous, Seq: r.Seq, AtMs: r.AtMs, Actor: r.Actor, Act: r.Act, Subject: r.Subject, Detail: r.Detail, Origin: r.OriginDigest})
	if err != nil {
		return "", err
	}
	sum := gm.SumSM3(text)
	return hex.EncodeToString(sum[:]), nil
}

func originDigest(salt, origin string) string {
	if origin == "" {
		return ""
	}
	sum := gm.SumSM3([]byte(salt + " " + origin))
	return hex.EncodeToString(sum[:])
}

// record appends an entry in the transaction of what it tells.
func (w *work) record(by Access, act Act, subject PersonKey, detail string) (err error) {
	r := auditRow{AtMs: millis(w.now), Actor: int64(by.Person.Key), Act: string(act), Subject: int64(subject), Detail: detail}
	if by.From.IsValid() {
		r.Origin, r.Salt = by.From.String(), hex.EncodeToString(chance(16))
		r.OriginDigest = originDigest(r.Salt, r.Origin)
	}
	if r.Seq, err = w.next("audit"); err != nil {
		return err
	}
	var previous string
	if r.Seq > 1 {
		if err := w.tx.NewRaw("SELECT digest FROM account_audit WHERE seq = ?", r.Seq-1).Scan(w.ctx, &previous); err != nil {
			return fmt.Errorf("entry %d of the audit log: %w", r.Seq-1, err)
		}
	}
	if r.Digest, err = r.chain(previous); err != nil {
		return err
	}
	return w.exec("INSERT INTO account_audit (seq, at_ms, actor, act, subject, detail, origin, salt, origin_digest, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.Seq, r.AtMs, r.Actor, r.Act, r.Subject, r.Detail, r.Origin, r.Salt, r.OriginDigest, r.Digest)
}

// MaxEntries is how many entries Audit returns at most.
const MaxEntries = 1000

// Audit returns up to n entries, newest first, that are older than before; 0 begins
// with the newest. It is for administrators.
func (a *Accounts) Audit(ctx context.Context, before int64, n int) ([]Entry, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	var rows []auditRow
	err := a.db.Read.NewRaw("SELECT * FROM account_audit WHERE seq < ? ORDER BY seq DESC LIMIT ?", before, min(max(n, 1), MaxEntries)).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Explain("read the audit log", err)
	}
	out := make([]Entry, len(rows))
	for i, r := range rows {
		out[i] = Entry{Seq: r.Seq, At: moment(r.AtMs), Actor: PersonKey(r.Actor), Act: Act(r.Act), Subject: PersonKey(r.Subject), Detail: r.Detail, From: r.Origin, Digest: r.Digest}
	}
	return out, nil
}

// BrokenError says where the audit log is not what was written.
type BrokenError struct {
	Seq  int64
	What string
}

// Error names the entry.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit log, entry %d: %s; keep this database for whoever investigates, and restore a back-up", e.Seq, e.What)
}

// CheckAudit reads the whole log and returns its end, or a *BrokenError at the first
// entry that was changed, taken out or put in. known is a head that was kept
// elsewhere; the zero Head for none, and then entries missing at the end show by the
// counter only.
func (a *Accounts) CheckAudit(ctx context.Context, known Head) (Head, error) {
	var head Head
	err := a.db.Snapshot(ctx, func(tx bun.Tx) (err error) {
		head, err = checkChain(ctx, tx, known)
		return err
	})
	return head, sqldb.Explain("check the audit log", err)
}

func checkChain(ctx context.Context, tx bun.Tx, known Head) (head Head, err error) {
	for {
		var rows []auditRow
		if err := tx.NewRaw("SELECT * FROM account_audit WHERE seq > ? ORDER BY seq LIMIT ?", head.Seq, MaxEntries).Scan(ctx, &rows); err != nil {
			return head, err
		}
		for n := range rows {
			if err := rows[n].follows(head, known); err != nil {
				return head, err
			}
			head = Head{Seq: rows[n].Seq, Digest: rows[n].Digest}
		}
		if len(rows) < MaxEntries {
			break
		}
	}
	var last int64
	if err := tx.NewRaw("SELECT last FROM account_counters WHERE name = 'audit'").Scan(ctx, &last); err != nil {
		return head, err
	}
	if want := max(last, known.Seq); head.Seq != want {
		return head, &BrokenError{head.Seq + 1, fmt.Sprintf("it and what follows are missing up to %d", want)}
	}
	return head, nil
}

// follows reports what is wrong with an entry after head.
func (r *auditRow) follows(head, known Head) error {
	if r.Seq != head.Seq+1 {
		return &BrokenError{head.Seq + 1, "it is missing"}
	}
	digest, err := r.chain(head.Digest)
	switch {
	case err != nil:
		return err
	case digest != r.Digest:
		return &BrokenError{r.Seq, "its digest does not follow from it and the entry before"}
	case r.Origin != "" && originDigest(r.Salt, r.Origin) != r.OriginDigest:
		return &BrokenError{r.Seq, "the address is not the one that was recorded"}
	case r.Seq == known.Seq && r.Digest != known.Digest:
		return &BrokenError{r.Seq, "its digest is not the one that was kept"}
	}
	return nil
}
