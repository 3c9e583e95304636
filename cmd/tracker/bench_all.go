package main

import (
	"context"
	"fmt"
	"time"
)

// benchAll is everything in a few minutes. The figures of the sub-commands by
// themselves, with their defaults, are the ones to quote.
type benchAll struct {
	benchFlags
	Clients int           `default:"1000" help:"Connections, where many are needed. Default: 1000."`
	For     time.Duration `default:"3s" help:"How long each load lasts. Default: 3s."`
}

// Run measures.
func (c *benchAll) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "all", c)
}

func (c *benchAll) setting() string {
	return fmt.Sprintf("a short version: %d connections, loads of %s", c.Clients, c.For)
}

func (c *benchAll) measure(ctx context.Context, out *console, r *report) error {
	few := max(c.Clients/10, 1)
	for _, part := range []struct {
		name string
		m    measurement
	}{
		{"idle", &benchIdle{Clients: c.Clients, Orders: 1, Most: min(2*c.Clients, mostClients)}},
		{"fanout", &benchFanout{Clients: c.Clients, Events: 10, Runs: 1}},
		{"publish", &benchPublish{Watched: []int{few, c.Clients}, Events: 2000, Rate: 1000, Runs: 1}},
		{"storm", &benchStorm{Clients: c.Clients, Rate: 100, Within: c.For, For: 2 * c.For}},
		{"stalled", &benchStalled{Clients: c.Clients, Rate: 200, For: c.For, Hot: 20, Runs: 1}},
		{"polls", &benchPolls{Clients: 16, For: c.For, Runs: 1}},
		{"longpoll", &benchLongPoll{Clients: c.Clients}},
		{"callback", &benchCallback{Payments: max(1, int(50*min(c.For, 30*time.Second).Seconds())), Rate: 50}},
		{"latency", &benchLatency{Orders: c.Clients, Rate: 200, For: c.For}},
		{"transports", &benchTransports{Clients: few, Events: 4, Every: 500 * time.Millisecond, Interval: time.Second}},
		{"orders", &benchOrders{Clients: 64, For: c.For, Rounds: 2}},
	} {
		progress(out, "%s: %s", part.name, part.m.setting())
		if err := part.m.measure(ctx, out, r); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
