package drill

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls do for 0 … n-1, a few at a time, and returns the first error.
func parallel(ctx context.Context, n, width int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var failed error
	var group sync.WaitGroup
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(width, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					cancel()
					return
				}
			}
		})
	}
	group.Wait()
	if failed == nil {
		failed = whole.Err() // then some were not done
	}
	return failed
}
