package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"tracker/notify/webhooks"
)

// listenCommand forwards the merchant's events to an address on this machine,
// as webhooks would come.
type listenCommand struct {
	remote
	selection
	ForwardTo string `required:"" placeholder:"URL" help:"Where to send them, such as http://127.0.0.1:3000/webhooks."`
	Secret    string `placeholder:"WHSEC" help:"Sign with this secret. Default: a new one, which is printed."`
	Tries     int    `default:"3" help:"How often an event is tried before the next one. Default: 3."`
}

// Help is the longer help of the command.
func (listenCommand) Help() string {
	return `For the first hour with webhooks: no public address and no endpoint are needed.
Every event of all orders and payments is sent to --forward-to in order, signed
by Standard Webhooks with the headers webhook-id, webhook-timestamp and
webhook-signature. Verify them with the secret that is printed, as in production.

    tracker listen --forward-to http://127.0.0.1:3000/webhooks
    tracker trigger order`
}

// Run forwards until ctx ends.
func (c *listenCommand) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	to, err := url.Parse(c.ForwardTo)
	if err != nil || to.Host == "" {
		return misused("--forward-to must be an address such as http://127.0.0.1:3000/webhooks, not %q", c.ForwardTo)
	}
	secret := firstOf(c.Secret, webhooks.NewSecret())
	if _, err := webhooks.Sign([]string{secret}, "evt_check", time.Now(), nil); err != nil {
		return misused("--secret must be whsec_ and base64, as an endpoint's: %w", err)
	}
	fmt.Fprintf(out.stdout, "Forwarding to %s\nSigned with %s\n", c.ForwardTo, secret)
	f := &forwarder{to: c.ForwardTo, secret: secret, tries: max(c.Tries, 1), out: out, json: c.JSON,
		http: &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return c.follow(ctx, api, out, func(e eventView, raw []byte) error { return f.forward(ctx, e, raw) })
}

// forwarder sends events one after the other.
type forwarder struct {
	to, secret string
	tries      int
	out        *console
	json       bool
	http       *http.Client
}

// forward sends one event. A receiver that goes on refusing misses it, which is
// said; only the end of ctx is an error.
func (f *forwarder) forward(ctx context.Context, e eventView, raw []byte) error {
	for try := 1; ; try++ {
		began := time.Now()
		status, err := f.send(ctx, e, raw)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.report(e, try, status, err, time.Since(began))
		if (err == nil && status/100 == 2) || try >= f.tries {
			return nil
		}
		select {
		case <-time.After(time.Second << (try - 1)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *forwarder) send(ctx context.Context, e eventView, raw []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to, bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "tracker-cli/1")
	if err := webhooks.SignHeader(req.Header, []string{f.secret}, e.ID, time.Now(), raw); err != nil {
		return 0, err
	}
	res, err := f.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // only so that the connection can be used again
	return res.StatusCode, nil
}

func (f *forwarder) report(e eventView, try, status int, err error, took time.Duration) {
	if f.json {
		line := map[string]any{"id": e.ID, "type": e.Type, "subject": e.Subject, "seq": e.Seq, "try": try, "status": status, "ms": took.Milliseconds()}
		if err != nil {
			line["error"] = err.Error()
		}
		_ = json.NewEncoder(f.out.stdout).Encode(line) // a closed standard output ends the process anyway
		return
	}
	answer := fmt.Sprint(status)
	if err != nil {
		answer = "no answer (" + err.Error() + ")"
	}
	again := ""
	if (err != nil || status/100 != 2) && try < f.tries {
		again = ", again"
	}
	fmt.Fprintf(f.out.stdout, "%s  %-28s %s #%d -> %s%s\n", e.Time.UTC().Format(clockLayout), e.Type, e.Subject, e.Seq, answer, again)
}
