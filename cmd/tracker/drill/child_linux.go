package drill

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes lets a child end with us, even if we are killed.
func attributes(base *syscall.SysProcAttr, farewell syscall.Signal) *syscall.SysProcAttr {
	a := syscall.SysProcAttr{}
	if base != nil {
		a = *base
	}
	a.Pdeathsig = farewell
	return &a
}

// childrenOf lists the direct children of a process.
func childrenOf(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var list []int
	for field := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// mountSmall puts a file system of the given size at dir.
func mountSmall(dir string, bytes int64) error {
	return unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
}

func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }
