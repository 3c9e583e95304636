package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// raise allows as many descriptors as the machine does.
func raise() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // then the old limit says what is possible
	return nil
}

// clockTick is the unit of CPU time in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuOf is what a process has computed so far, in user and kernel.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time of the server: %w", err)
	}
	// The name, which is the second field, may have spaces and parentheses.
	rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(rest) < 13 {
		return 0, fmt.Errorf("CPU time of the server: %q", text)
	}
	var ticks int64
	for _, field := range rest[11:13] { // utime and stime, fields 14 and 15
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time of the server: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// pssOf is the memory of a process by the kernel's count, in bytes.
func pssOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of the server: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0, fmt.Errorf("memory of the server: %w", err)
	}
	return kilobytes << 10, nil
}

// family is the CPU time, and the memory, of processes that serve together, such
// as nginx and its workers.
func familyCPU(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		d, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

func familyPSS(pids []int) (sum int64, err error) {
	for _, pid := range pids {
		n, err := pssOf(pid)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// settledPSS collects garbage and waits until the runtime has given back what it
// will: until the memory no longer falls, for six seconds at most.
func settledPSS(ctx context.Context, s subject) (int64, error) {
	least := int64(1 << 62)
	for begin, calm := time.Now(), 0; calm < 4 && time.Since(begin) < 6*time.Second; {
		if err := s.collect(ctx); err != nil {
			return 0, err
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return 0, err
		}
		now, err := familyPSS(s.pids())
		if err != nil {
			return 0, err
		}
		calm++
		if now < least-least/200 {
			least, calm = now, 0
		}
		least = min(least, now)
	}
	return least, nil
}

// median of a few runs.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	if len(sorted) == 0 {
		return 0
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
