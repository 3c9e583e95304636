package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"tracker/notify/eventwire"
)

// eventsCommand groups what can be done with all events of a merchant.
type eventsCommand struct {
	Tail eventsTail `cmd:"" help:"Print every event of all orders and payments as it happens."`
}

type eventsTail struct {
	remote
	selection
}

// selection are the flags that say which events of the firehose are meant.
type selection struct {
	Events []string      `placeholder:"TYPE" help:"Only these types, such as order.confirmed or payment.*."`
	Since  time.Duration `placeholder:"DURATION" help:"Also those of the last so long. Default: only new ones."`
	All    bool          `help:"All that the stream still holds, then new ones."`
}

// Run prints events until ctx ends.
func (c *eventsTail) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	return c.follow(ctx, api, out, func(e eventView, raw []byte) error {
		if c.JSON {
			_, err := fmt.Fprintf(out.stdout, "%s\n", raw)
			return err
		}
		_, err := fmt.Fprintf(out.stdout, "%s  %s\n", e.Subject, e.Data.Transition.line())
		return err
	})
}

// follow reads the merchant's firehose and hands on what is selected. What is older
// than --since is passed over by the server's clock.
func (c selection) follow(ctx context.Context, api *apiClient, out *console, do func(eventView, []byte) error) error {
	for _, pattern := range c.Events {
		if !slices.ContainsFunc(eventwire.Types(), typeLike(pattern)) {
			return misused("--events: no event is of type %q; there are %s", pattern, strings.Join(eventwire.Types(), ", "))
		}
	}
	from, err := c.from(ctx, api)
	if err != nil {
		return err
	}
	s := &feedReader{client: api, path: c.path()}
	s.lost, s.back = reportBreaks(out, func() string { return "where it stopped" }) // its cursor means nothing to people
	s.event = func(f frame) error {
		var e eventView
		if f.Name == "reset" || f.Name == "closed" {
			return nil
		}
		if err := json.Unmarshal(f.Data, &e); err != nil {
			return fmt.Errorf("event %s cannot be read: %w", f.ID, err)
		}
		if e.Time.Before(from) || !c.wants(e.Type) {
			return nil
		}
		return do(e, f.Data)
	}
	return s.run(ctx)
}

func (c selection) wants(eventType string) bool {
	return len(c.Events) == 0 || slices.ContainsFunc(c.Events, func(pattern string) bool { return typeLike(pattern)(eventType) })
}

func typeLike(pattern string) func(eventType string) bool {
	return func(eventType string) bool {
		ok, err := path.Match(pattern, eventType)
		return err == nil && ok
	}
}

// path begins with the oldest event of the stream only where old ones are meant.
func (c selection) path() string {
	if c.All || c.Since > 0 {
		return "/v1/events"
	}
	return "/v1/events?after=latest"
}

// from is the time of the oldest event that is meant, by the server's clock.
func (c selection) from(ctx context.Context, api *apiClient) (time.Time, error) {
	if c.All {
		return time.Time{}, nil
	}
	req, err := api.request(ctx, http.MethodGet, "/v1/merchant", nil)
	if err != nil {
		return time.Time{}, err
	}
	res, err := api.http.Do(req)
	if err != nil {
		return time.Time{}, unreachable(api.base, err)
	}
	_ = res.Body.Close()
	now, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		now = time.Now() // something on the way took the header out
	}
	return now.Add(-c.Since), nil
}
