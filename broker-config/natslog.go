package brokerconfig

import (
	"fmt"
	"log/slog"
	"sync"
)

// natsLog passes the server's warnings and errors on and keeps the last fatal
// one, which the server does not return.
type natsLog struct {
	log   *slog.Logger
	mu    sync.Mutex
	fatal string
}

func (l *natsLog) Noticef(format string, v ...any) {
	l.log.Debug("broker", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Warnf(format string, v ...any) {
	l.log.Warn("broker", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Errorf(format string, v ...any) {
	l.log.Error("broker", "text", fmt.Sprintf(format, v...))
}
func (l *natsLog) Debugf(string, ...any) {}
func (l *natsLog) Tracef(string, ...any) {}

// Fatalf does not end the process: Start reports the failure.
func (l *natsLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = fmt.Sprintf(format, v...)
}

func (l *natsLog) lastFatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
