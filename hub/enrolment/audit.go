package enrolment

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"citygrid/internal/durable"
	"citygrid/internal/gm"
	"citygrid/internal/strictjson"
	"citygrid/schemas"
)

// Act is what was done with a key.
type Act string

// The acts of the audit log.
const (
	ActInit          Act = "init"
	ActIssue         Act = "issue"
	ActRenew         Act = "renew"
	ActRotate        Act = "rotate"
	ActCompromised   Act = "rotate_compromised"
	ActRevoke        Act = "revoke"
	ActExtend        Act = "extend"
	ActDestroy       Act = "destroy"
	ActNewMaster     Act = "new_master"
	ActDestroyMaster Act = "destroy_master"
)

// Entry is one line of the audit log: one act, written before it counts. It holds no
// key.
type Entry struct {
	Seq uint64    `json:"seq"` // from 1
	At  time.Time `json:"at"`
	// By is who did it: a name that was given, or the account of the machine.
	By  string `json:"by"`
	Act Act    `json:"act"`
	// Collector is empty where the act is about a master key.
	Collector schemas.CollectorID `json:"collector"`
	// From and To are generations, of the collector's key or of the master key; 0
	// for none.
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
	// Key is the check value of the key To (seal.CheckValue); empty for none.
	Key  string `json:"key"`
	Note string `json:"note"`
	// Previous is the SM3 of the line before, without its line end, in hexadecimal
	// digits; empty in the first.
	Previous string `json:"previous"`
}

// Head is the end of the log at some time. The enrolment list holds the newest; one
// that was kept elsewhere shows later whether the log was written anew.
type Head struct {
	Entries uint64 `yaml:"entries"`
	// Last is the SM3 of the last line, in hexadecimal digits.
	Last string `yaml:"last"`
}

// IsZero lets the list leave an empty head out.
func (h Head) IsZero() bool { return h == Head{} }

// Audit returns the path of the audit log.
func (f Folder) Audit() string { return filepath.Join(string(f), "audit.jsonl") }

// BrokenError says where the audit log is not what was written.
type BrokenError struct {
	Line uint64 // from 1
	What string
}

// Error names the line.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit log, line %d: %s; keep the key folder for whoever investigates, and compare it with a copy", e.Line, e.What)
}

// Log is what the audit log says.
type Log struct {
	Entries []Entry
	Head    Head
	// Unfinished are entries at the end that the enrolment list does not know: the
	// program was stopped between writing an act down and doing it.
	Unfinished int
	// Torn is how many bytes of a line that was cut short stand at the end.
	Torn int
}

// ReadAudit reads the log of the folder and holds it to the enrolment list, and to a
// head that was kept elsewhere (the zero Head for none). The error is a *BrokenError
// at the first line that was changed, taken out or put in; the Log then has the
// lines before. A log that is not there is empty.
//
// Who may write in the folder can write the log and the head in the list anew: only
// a head that was kept elsewhere, or a copy of the log, shows that.
func (f Folder) ReadAudit(known Head) (*Log, error) {
	list, err := Load(f.List())
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(f.Audit())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	log, err := parseLog(data, list.Audit, known)
	if err != nil {
		return log, err
	}
	for _, want := range []Head{list.Audit, known} {
		if log.Head.Entries < want.Entries {
			return log, &BrokenError{log.Head.Entries + 1, fmt.Sprintf("it and what follows are missing up to line %d", want.Entries)}
		}
	}
	log.Unfinished = int(log.Head.Entries - list.Audit.Entries)
	return log, nil
}

// parseLog reads lines as far as they follow from each other and from the heads.
func parseLog(data []byte, heads ...Head) (*Log, error) {
	log := &Log{}
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			log.Torn = len(line)
			return log, nil
		}
		data = rest
		e, err := parseEntry(line, log.Head)
		if err != nil {
			return log, err
		}
		log.Entries = append(log.Entries, e)
		log.Head = Head{e.Seq, digestOf(line)}
		for _, h := range heads {
			if h.Entries == e.Seq && h.Last != log.Head.Last {
				return log, &BrokenError{e.Seq, "its digest is not the one that was kept"}
			}
		}
	}
	return log, nil
}

func parseEntry(line []byte, before Head) (e Entry, err error) {
	broken := func(what string) (Entry, error) { return e, &BrokenError{before.Entries + 1, what} }
	if err := strictjson.Decode(line, &e); err != nil {
		return broken("it is no entry: " + err.Error())
	}
	switch {
	case e.Previous != before.Last:
		return broken("it does not follow from the line before")
	case e.Seq != before.Entries+1:
		return broken(fmt.Sprintf("it says that it is line %d", e.Seq))
	}
	return e, nil
}

func digestOf(line []byte) string {
	sum := gm.SumSM3(line)
	return hex.EncodeToString(sum[:])
}

// append writes entries behind the log, durably, and returns the new head. A line
// that was cut short is cut off, and the next one says so. A log that is shorter
// than the list says, or changed, does not keep an operator from revoking a key: the
// entries then follow from what the list remembers, and the break stays to be seen.
func (f Folder) append(known Head, entries []Entry) (Head, error) {
	file, err := durable.OpenFile(f.Audit(), 0o600)
	if err != nil {
		return known, fmt.Errorf("audit log: %w", err)
	}
	head, err := extend(file, known, entries)
	if err = errors.Join(err, file.Close()); err != nil {
		return known, fmt.Errorf("audit log %s: %w", f.Audit(), err)
	}
	return head, durable.SyncDir(string(f))
}

func extend(file *os.File, known Head, entries []Entry) (Head, error) {
	data, err := os.ReadFile(file.Name())
	if err != nil {
		return known, err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if torn := len(data) - whole; torn > 0 {
		entries[0].Note = fmt.Sprintf("%d bytes of a line that was cut short were cut off. ", torn) + entries[0].Note
	}
	head := known
	if log, err := parseLog(data[:whole], known); err == nil && log.Head.Entries >= known.Entries {
		head = log.Head
	}
	var text []byte
	for _, e := range entries {
		e.Seq, e.Previous = head.Entries+1, head.Last
		line, err := json.Marshal(e)
		if err != nil {
			return known, err
		}
		text = append(append(text, line...), '\n')
		head = Head{e.Seq, digestOf(line)}
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return known, err
	}
	if _, err := file.WriteAt(text, int64(whole)); err != nil {
		return known, err
	}
	return head, file.Sync()
}
