package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDataDir makes sure that one process at a time owns the embedded database
// and stream: two would corrupt neither, but each would miss the other's
// changes. The lock goes with the process, however it ends.
func lockDataDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("TRACKER_DATA_DIR cannot be made: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("TRACKER_DATA_DIR cannot be written: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("TRACKER_DATA_DIR %s belongs to another running tracker: stop it, or set TRACKER_DATABASE_URL and TRACKER_NATS_URL in both", dir)
		}
		return nil, fmt.Errorf("TRACKER_DATA_DIR cannot be locked: %w", err)
	}
	return func() { file.Close() }, nil
}
