package influxd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Copy lets influxd write a portable copy of a database of the InfluxDB 1.8 whose RPC
// service listens at host into the folder to, which must not be there yet. It may be in
// use; what is written meanwhile may be in the copy or not. [docs.influxdata.com,
// influxdb v1.8, "Back up and restore"]
func Copy(ctx context.Context, binary, host, database, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("folder of the copy: %w", err)
	}
	return tool(ctx, binary, "backup", "-portable", "-host", host, "-db", database, to)
}

// PutBack lets influxd restore a copy of Copy. The database must not be there.
func PutBack(ctx context.Context, binary, host, database, from string) error {
	return tool(ctx, binary, "restore", "-portable", "-host", host, "-db", database, from)
}

// tool runs influxd as its own client, and tells what it said when it failed.
func tool(ctx context.Context, binary string, args ...string) error {
	if binary == "" {
		var err error
		if binary, err = Find(); err != nil {
			return err
		}
	}
	said, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("influxd %s: %w: %s", args[0], err, strings.TrimSpace(string(said)))
	}
	return nil
}
