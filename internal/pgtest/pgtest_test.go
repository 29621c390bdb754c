package pgtest

import (
	"os"
	"strings"
	"testing"
)

func TestServerGivesDatabasesAndLeavesNothing(t *testing.T) {
	s, err := Start()
	Need(t, func() (*Server, error) { return s, err })
	dsn, err := s.Database()
	if err != nil || !strings.HasPrefix(dsn, "postgres://citygrid@/test2?host=") {
		t.Errorf("second database %q, %v", dsn, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("folder %s is still there (%v)", s.dir, err)
	}
	select {
	case <-s.proc.Done():
	default:
		t.Error("the server still runs")
	}
}
