package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// benchPartition measures what it costs a process with the role notify to read
// the feed: all of it, as it does today, and one partition of it.
type benchPartition struct {
	benchFlags
	Nodes  int `default:"8" help:"Processes that read, and partitions: 1 to 64. Default: 8."`
	Rate   int `default:"2000" help:"Events per second. Default: 2000."`
	Events int `default:"10000" help:"Events in a run. Default: 10000."`
}

// Help is the longer help of the command.
func (benchPartition) Help() string {
	return `A NATS server and the readers are processes of their own. The events are of
different orders, of the size that an order has half way. What is measured is
what a reader computes and receives whether anybody watches or not: the message
on its way from the server, decoded, and looked up among the watched.

Three layouts read the same feed: one process all of it, every process all of
it, and every process one partition, tracker.<p>.orders.<merchant>.<order>. The
last is how a deployment goes on growing when reading everything is too much for
a machine, or sending everything to everybody is too much for the brokers.`
}

// Run measures.
func (c *benchPartition) Run(ctx context.Context, out *console) error {
	if c.Nodes < 1 || c.Nodes > 64 || c.Rate < 1 || c.Events < 1 {
		return errors.New("--nodes must be 1 to 64, --rate and --events at least 1")
	}
	return c.run(ctx, out, "partition", c)
}

func (c *benchPartition) setting() string {
	return fmt.Sprintf("%d events of different orders, %d/s, %d partitions", c.Events, c.Rate, c.Nodes)
}

func (c *benchPartition) measure(ctx context.Context, out *console, r *report) error {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	nats, url, err := startFeed(ctx, dir)
	if err != nil {
		return err
	}
	defer nats.end()
	feed, err := openFeed(ctx, url)
	if err != nil {
		return err
	}
	defer feed.Close()
	var parts []string
	for p := range c.Nodes {
		parts = append(parts, fmt.Sprintf("tracker.%d.>", p))
	}
	all := make([]string, c.Nodes)
	for i := range all {
		all[i] = eventwire.Wildcard
	}
	for _, layout := range []struct {
		name     string
		subjects []string
	}{{"one reads everything", all[:1]}, {"each reads everything", all}, {"each reads a partition", parts}} {
		progress(out, "partition: %s", layout.name)
		if err := c.layout(ctx, r, feed, nats, url, layout.name, layout.subjects); err != nil {
			return err
		}
	}
	return nil
}

// layout runs the feed past its readers. CPU is in percent of one.
func (c *benchPartition) layout(ctx context.Context, r *report, feed *natsbus.Bus, nats *benchChild, url, name string, subjects []string) error {
	var readers []*benchChild
	defer func() {
		for _, p := range readers {
			p.end()
		}
	}()
	for _, subject := range subjects {
		p, err := startReader(ctx, url, subject)
		if err != nil {
			return err
		}
		readers = append(readers, p)
	}
	before, err := cpuAll(append(readers, nats))
	if err != nil {
		return err
	}
	began := time.Now()
	size, err := c.publish(ctx, feed)
	if err != nil {
		return err
	}
	want := int64(c.Events)
	if len(subjects) > 1 && subjects[0] == eventwire.Wildcard {
		want *= int64(len(subjects))
	}
	seen, err := awaitRead(ctx, readers, want)
	if err != nil {
		return err
	}
	took := time.Since(began)
	after, err := cpuAll(append(readers, nats))
	if err != nil {
		return err
	}
	each := float64(0)
	for i := range readers {
		each += share(after[i]-before[i], took) / float64(len(readers))
	}
	r.add("partition", name, "readers", float64(len(readers)), "")
	r.add("partition", name, "events to each", float64(seen.Events)/float64(len(readers))/took.Seconds(), "/s")
	r.add("partition", name, "bytes to each", size*float64(seen.Events)/float64(len(readers))/took.Seconds()/1000, "KB/s")
	r.add("partition", name, "CPU of each", each, "%")
	r.add("partition", name, "CPU per event read", each*took.Seconds()*1e4*float64(len(readers))/float64(seen.Events), "µs")
	r.add("partition", name, "CPU of the broker", share(after[len(readers)]-before[len(readers)], took), "%")
	r.add("partition", name, "slowest p99", seen.P99, "ms")
	r.none("partition", name, "missed or doubled", seen.Events-want, "")
	return nil
}

func share(cpu, of time.Duration) float64 { return 100 * cpu.Seconds() / of.Seconds() }

// publish puts the events into the stream at the rate, each of an order of its
// own, and returns the size of one.
func (c *benchPartition) publish(ctx context.Context, feed *natsbus.Bus) (size float64, err error) {
	const batch = 20
	tick := time.NewTicker(batch * time.Second / time.Duration(c.Rate))
	defer tick.Stop()
	for sent := 0; sent < c.Events; sent += batch {
		list := make([]natsbus.Message, 0, batch)
		for range min(batch, c.Events-sent) {
			m, err := c.event()
			if err != nil {
				return 0, err
			}
			list, size = append(list, m), size+float64(len(m.Body))/float64(c.Events)
		}
		if err := feed.Publish(ctx, list); err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
	return size, nil
}

// event is an order that was paid and has a parcel under way.
func (c *benchPartition) event() (natsbus.Message, error) {
	now := time.Now().UTC()
	key := eventwire.Key{Merchant: benchMerchant, Kind: eventwire.Orders, ID: eventwire.NewID(eventwire.PrefixOrder, now)}
	var timeline []eventwire.Transition
	for i, typ := range []string{"order.created", "order.payment_changed", "order.payment_changed", "order.confirmed", "order.shipment_created", "order.shipment_changed"} {
		timeline = append(timeline, eventwire.Transition{Seq: int64(i) + 1, Type: typ, From: "unpaid", To: "paid", At: now, Cause: "payment", Evidence: eventwire.EventID(key.ID, int64(i)), Subject: key.ID})
	}
	item := map[string]any{"sku": "mug", "name": "Mug, blue, hand-made", "quantity": 2, "unit_amount": 1500}
	e, err := eventwire.New(key, key.ID, 1, false, timeline, map[string]any{
		"id": key.ID, "reference": "1042", "status": "confirmed", "payment_status": "paid", "fulfillment_status": "fulfilled", "amount": 4198, "currency": "EUR",
		"items": []any{item, item}, "sequence": len(timeline), "created_at": now, "updated_at": now, "shipments": []any{map[string]any{"id": key.ID, "carrier": "DHL", "tracking_number": "00340434161094", "status": "in_transit", "items": []any{item}}},
	})
	if err != nil {
		return natsbus.Message{}, err
	}
	body, err := e.Encode()
	hash := fnv.New32a()
	hash.Write([]byte(key.ID))
	return natsbus.Message{Subject: fmt.Sprintf("tracker.%d.orders.%s.%s", hash.Sum32()%uint32(c.Nodes), key.Merchant, key.ID), ID: e.ID, Body: body}, err
}
