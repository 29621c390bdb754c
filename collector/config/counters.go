package config

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Counter is a point of sale on the same machine (citygrid counter), whose card
// entries the collector takes to the hub.
type Counter struct {
	// Dir is the counter's folder, as in its --state.
	Dir string `yaml:"dir"`
}

func (c *Config) checkCounters() error {
	seen := make(map[string]bool)
	for i, counter := range c.Counters {
		path := filepath.Clean(c.Path(counter.Dir))
		switch {
		case counter.Dir == "":
			return c.at(errors.New("missing: the counter's folder"), "counters", i, "dir")
		case seen[path]:
			return c.at(fmt.Errorf("%s is there twice", counter.Dir), "counters", i, "dir")
		}
		seen[path] = true
	}
	return nil
}
