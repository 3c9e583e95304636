//go:build !linux

package drill

import (
	"errors"
	"syscall"
)

func attributes(base *syscall.SysProcAttr, _ syscall.Signal) *syscall.SysProcAttr { return base }

func childrenOf(int) ([]int, error)  { return nil, errors.ErrUnsupported }
func mountSmall(string, int64) error { return errors.ErrUnsupported }
func unmount(string) error           { return errors.ErrUnsupported }
