package main

import (
	"context"
	"os"
	"testing"
)

// What could not be started leaves nothing behind. Not parallel: it has the
// system's folder for such things to itself.
func TestStartServe_that_fails_leaves_no_folder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := startServe(ctx); err == nil {
		s.stop()
		t.Fatal("it was started")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
