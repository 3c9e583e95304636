package dbtest

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// awaitServer returns when the server answers, or shows its log.
func awaitServer(address, log string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log) // best effort, for the message
			return fmt.Errorf("the temporary server does not answer: %w\n%s", err, text)
		case <-tick.C:
		}
	}
}
