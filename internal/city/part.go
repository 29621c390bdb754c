package city

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"citygrid/internal/child"
	"citygrid/internal/influxd"
)

// order is the order of starting.
var order = []string{Simulators, Broker, Influxd, Hub, Collector}

// part is a process of the city.
type part struct {
	*child.Process
	// expected is true when its end is no surprise.
	expected bool
}

// Ready is the first line of a part's output.
type Ready struct {
	Part      string   `json:"ready"`
	URL       string   `json:"url,omitempty"`
	Metrics   string   `json:"metrics,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
}

// part returns a part that was started.
func (c *City) part(name string) (p *part, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok = c.parts[name]
	return p, ok
}

// server returns the store as it was started last; nil before.
func (c *City) server() *influxd.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.influx
}

// start starts a program and waits for the line that says it is ready.
func (c *City) start(ctx context.Context, name string, cmd *exec.Cmd) (Ready, error) {
	log, err := os.OpenFile(c.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Ready{}, err
	}
	defer log.Close()
	stdout, written, err := os.Pipe()
	if err != nil {
		return Ready{}, err
	}
	defer stdout.Close()
	cmd.Stdout, cmd.Stderr = written, log
	p, err := child.Start(name, cmd)
	written.Close()
	if err != nil {
		return Ready{}, err
	}
	c.mu.Lock()
	c.parts[name] = &part{Process: p}
	c.mu.Unlock()
	return c.awaitReady(ctx, name, stdout)
}

func (c *City) awaitReady(ctx context.Context, name string, stdout *os.File) (Ready, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadString('\n') // ends with the pipe
		line <- text
	}()
	timer := time.NewTimer(partTimeout)
	defer timer.Stop()
	select {
	case text := <-line:
		var ready Ready
		if err := json.Unmarshal([]byte(text), &ready); err != nil {
			return Ready{}, fmt.Errorf("%s did not start:\n%s", name, tail(c.path(name+".log")))
		}
		return ready, nil
	case <-timer.C:
		return Ready{}, fmt.Errorf("%s was not ready after %s:\n%s", name, partTimeout, tail(c.path(name+".log")))
	case <-ctx.Done():
		return Ready{}, ctx.Err()
	}
}

// tail returns the last lines of a log.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
