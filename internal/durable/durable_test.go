package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/internal/durable"
)

func TestWriteFileReplacesContentAndPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, want := range []string{"first, and rather longer than the second", "second", ""} {
		if err := durable.WriteFile(path, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("content is %q, %v; want %q", got, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Fatalf("permissions are %v, %v; want 0640", info.Mode(), err)
	}
	onlyFile(t, path)
}

func TestWriteFileLeavesNothingBehindOnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "child"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := durable.WriteFile(path, []byte("x"), 0o600)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("error is %v; want one that names %s", err, path)
	}
	onlyFile(t, path)
}

func TestWriteFileNeedsTheFolder(t *testing.T) {
	err := durable.WriteFile(filepath.Join(t.TempDir(), "absent", "f"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error is %v; want fs.ErrNotExist", err)
	}
}

func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	if err := durable.SyncDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error is %v; want fs.ErrNotExist", err)
	}
}

func TestLockKeepsASecondHolderOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = durable.Lock(path)
	if !errors.Is(err, durable.ErrLocked) {
		t.Fatalf("second lock: %v; want ErrLocked", err)
	}
	if pid := fmt.Sprintf("pid %d", os.Getpid()); !strings.Contains(err.Error(), pid) {
		t.Fatalf("error %q does not name the holder %s", err, pid)
	}
	if err := errors.Join(unlock(), unlock()); err != nil {
		t.Fatal(err)
	}
	again, err := durable.Lock(path)
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}

// TestLockDiesWithItsProcess kills a child that holds the lock: no stale lock
// may keep the next process out.
func TestLockDiesWithItsProcess(t *testing.T) {
	if path := os.Getenv("DURABLE_TEST_LOCK"); path != "" {
		holdLock(path)
	}
	path := filepath.Join(t.TempDir(), "lock")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockDiesWithItsProcess$")
	child.Env = append(os.Environ(), "DURABLE_TEST_LOCK="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := out.Read(ready); err != nil || !bytes.HasPrefix(ready, []byte("locked")) {
		t.Fatalf("child said %q, %v", ready, err)
	}
	_, err = durable.Lock(path)
	if pid := fmt.Sprintf("pid %d", child.Process.Pid); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), pid) {
		t.Errorf("lock beside the child: %v; want ErrLocked naming %s", err, pid)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // the kill is the expected error
	unlock, err := durable.Lock(path)
	if err != nil {
		t.Fatalf("lock after the holder was killed: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

// holdLock is the child: it takes the lock, says so, and waits to be killed.
func holdLock(path string) {
	if _, err := durable.Lock(path); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("locked")
	select {}
}

// onlyFile fails the test when the folder of path holds anything but path.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Fatalf("folder holds %v, %v; want only %s", entries, err, filepath.Base(path))
	}
}
