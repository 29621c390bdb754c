package pcscd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Missing says what this machine lacks to run a Daemon, and how to get it; nil
// when it lacks nothing.
func Missing() error {
	_, _, err := find()
	return err
}

// find returns the paths of pcscd and of the driver.
func find() (program, driver string, err error) {
	// A user's PATH often lacks the sbin folders.
	for _, name := range []string{"pcscd", "/usr/sbin/pcscd", "/usr/local/sbin/pcscd"} {
		if program, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("pcscd is not here: install the Debian packages pcscd and vsmartcard-vpcd: %w", exec.ErrNotFound)
	}
	patterns := []string{"/usr/lib/pcsc/drivers/serial/libifdvpcd.so*", "/usr/lib/*/pcsc/drivers/serial/libifdvpcd.so*", "/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so*"}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) > 0 {
			return program, found[0], runFolder()
		}
	}
	return "", "", fmt.Errorf("the driver of the virtual reader is not here: install the Debian package vsmartcard-vpcd: %w", os.ErrNotExist)
}

// runFolder says whether pcscd will find or can make the folder that it was
// built with.
func runFolder() error {
	const folder = "/run/pcscd"
	if _, err := os.Stat(folder); err != nil && os.Geteuid() > 0 {
		return fmt.Errorf("pcscd needs the folder %s: make it as root (systemctl start pcscd.socket does it): %w", folder, err)
	}
	return nil
}
