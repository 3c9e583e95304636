package sandboxbank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// journal is an append-only file of JSON lines. A line is one change, whole or
// not there: what a crash cut off is dropped when the file is opened again. With
// an empty path it keeps nothing. Safe for concurrent use.
//
// Appending and flushing are two steps, so that many changes share one fsync:
// append under the lock that orders the changes, flush outside of it.
type journal struct {
	path string

	mu       sync.Mutex // guards what follows
	pending  bytes.Buffer
	appended int64

	disk sync.Mutex // held while writing; taken before mu
	file *os.File
	err  error // the first failure: after it nothing more is accepted

	// Written under disk, read without it, so that reading never waits for a disk.
	flushed atomic.Int64
	size    atomic.Int64
}

// openJournal reads every line of the file through replay, in order.
func openJournal(path string, replay func(line []byte) error) (*journal, error) {
	j := &journal{path: path}
	if path == "" {
		return j, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("sandboxbank: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sandboxbank: %w", err)
	}
	size, err := replayLines(file, replay)
	if err == nil {
		// What follows the last whole line was being written when we died.
		err = errors.Join(file.Truncate(size), seekTo(file, size), syncDir(path))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("sandboxbank: journal %s: %w", filepath.Base(path), err)
	}
	j.file = file
	j.size.Store(size)
	return j, nil
}

func replayLines(file *os.File, replay func([]byte) error) (int64, error) {
	data, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	var size int64
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return size, nil
		}
		if err := replay(line); err != nil {
			if len(rest) == 0 {
				return size, nil // a torn last write may end in a newline of old blocks
			}
			return 0, fmt.Errorf("at byte %d: %w", size, err)
		}
		size += int64(len(line)) + 1
		data = rest
	}
}

// append adds a change and returns the number to flush up to.
func (j *journal) append(change any) (int64, error) {
	line, err := json.Marshal(change)
	if err != nil {
		return 0, fmt.Errorf("sandboxbank: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.appended++
	if j.path != "" {
		j.pending.Write(line)
		j.pending.WriteByte('\n')
	}
	return j.appended, nil
}

// last is the number of the newest change.
func (j *journal) last() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appended
}

// flush returns when every change up to number n is on disk.
func (j *journal) flush(n int64) error {
	if j.path == "" || j.flushed.Load() >= n {
		return nil
	}
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.err != nil || j.flushed.Load() >= n {
		return j.err
	}
	j.mu.Lock()
	batch, upTo := bytes.Clone(j.pending.Bytes()), j.appended
	j.pending.Reset()
	j.mu.Unlock()
	if _, err := j.file.Write(batch); err != nil {
		j.err = fmt.Errorf("sandboxbank: journal: %w", err)
		return j.err
	}
	if err := j.file.Sync(); err != nil {
		j.err = fmt.Errorf("sandboxbank: journal: %w", err)
		return j.err
	}
	j.flushed.Store(upTo)
	j.size.Add(int64(len(batch)))
	return nil
}

// bytes is the size of the file.
func (j *journal) bytes() int64 { return j.size.Load() }

// replace writes the file anew with these changes only, atomically. The caller
// holds the lock that orders changes, and the changes tell all that is true.
func (j *journal) replace(changes []any) error {
	if j.path == "" {
		return nil
	}
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.err != nil {
		return j.err
	}
	var all bytes.Buffer
	encoder := json.NewEncoder(&all)
	for _, change := range changes {
		if err := encoder.Encode(change); err != nil {
			return fmt.Errorf("sandboxbank: %w", err)
		}
	}
	file, err := writeAside(j.path, all.Bytes())
	if err != nil {
		return fmt.Errorf("sandboxbank: compact: %w", err) // the old file stays good
	}
	j.file.Close()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file = file
	j.size.Store(int64(all.Len()))
	j.flushed.Store(j.appended)
	j.pending.Reset()
	return nil
}

// writeAside makes path hold data by way of a second file and returns it open
// at its end.
func writeAside(path string, data []byte) (*os.File, error) {
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (j *journal) close() error {
	if j.path == "" {
		return nil
	}
	err := j.flush(j.last())
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.err == nil {
		j.err = errors.New("sandboxbank: journal is closed")
	}
	return errors.Join(err, j.file.Close())
}

func seekTo(file *os.File, offset int64) error {
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// syncDir makes a new or renamed file's name durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
