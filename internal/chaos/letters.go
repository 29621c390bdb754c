package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"citygrid/schemas/seal"
)

// letter is what the oracle reads of a line of the hub's letters.
type letter struct {
	Code    string `json:"code"`
	Reason  string `json:"reason"`
	Payload []byte `json:"payload"`
}

// badReadings counts, as the hub does in its words, the readings of an envelope that the
// store refused; -1 where it does not say.
func (l *letter) badReadings() (n int) {
	if _, err := fmt.Sscanf(l.Reason, "the store refused %d readings for good", &n); err != nil {
		return -1
	}
	return n
}

// refusesCopy reports whether one of the letters is that of a copy of a collector.
func refusesCopy(refused map[envelope]letter) bool {
	for _, l := range refused {
		if l.Code == seal.BootConflict.String() {
			return true
		}
	}
	return false
}

// readLetters returns the envelopes that a hub has put aside.
func readLetters(dir string) (map[envelope]letter, error) {
	refused := make(map[envelope]letter)
	for _, name := range []string{"dead-letters.jsonl", "dead-letters.jsonl.1", "rejected.jsonl"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var l letter
			if json.Unmarshal(lines.Bytes(), &l) != nil {
				continue // cut short by a kill; it is written again
			}
			e, _ := envelopeOf(l.Payload) // the zero envelope: nobody here has sent such a thing
			refused[e] = l
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return refused, nil
}
