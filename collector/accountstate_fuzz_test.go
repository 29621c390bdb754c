package collector

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzAccountState: no file of the account of slots makes the collector panic, and what
// it makes of one it can write and read again.
func FuzzAccountState(f *testing.F) {
	f.Add([]byte(`{}` + "\n"))
	f.Add([]byte(`{"saved":"2026-01-01T00:00:30Z","meters":{"m":{"interval_ms":60000,"offset_ms":0,"from":"2026-01-01T00:00:00Z","closed":"2026-01-01T00:00:00Z","hours":{"1767225600":{"states":"AAAA"}}}},"gone":{"x":{"interval_ms":1000,"offset_ms":0}}}` + "\n"))
	f.Add([]byte(`{"owed":[{"meter":"m","from":"2026-01-01T00:00:00Z","interval":60,"slots":60}]}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(t.TempDir(), "accounts.state")
		if err := os.WriteFile(path, checked(accountHead, body), 0o600); err != nil {
			t.Fatal(err)
		}
		var s accountState
		if s.decode(checked(accountHead, body)) != nil {
			return
		}
		a := openAccounts(path, nil, silent, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
		a.mu.Lock()
		err := a.write()
		a.mu.Unlock()
		if err != nil {
			return // a time that JSON cannot write
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var back accountState
		if err := back.decode(data); err != nil {
			t.Errorf("what was written is refused: %v\n%s", err, data)
		}
	})
}
