package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
)

// receiveCommand is a receiver of webhooks to look at: what arrives, and whether
// its signature is good. The check is the Standard Webhooks library's, not ours.
type receiveCommand struct {
	Addr   string `default:"127.0.0.1:3000" placeholder:"HOST:PORT" help:"Where to listen. Default: 127.0.0.1:3000."`
	Secret string `required:"" placeholder:"WHSEC" help:"The endpoint's secret, whsec_…, as it was shown when the endpoint was made."`
	Count  int    `placeholder:"N" help:"End after this many good webhooks. Default: go on until Ctrl-C."`
}

// Help is the longer help of the command.
func (receiveCommand) Help() string {
	return `Prints one line per webhook and answers 204, or 401 where the signature is
wrong. It stands in for your own receiver during the first hour; the tracker
must be allowed to call a private address: TRACKER_WEBHOOK_ALLOW_PRIVATE=true,
as under make run.`
}

// mostBody bounds what the receiver reads of one webhook.
const mostBody = 1 << 20

// Run receives until ctx ends or enough came.
func (c *receiveCommand) Run(ctx context.Context, out *console) error {
	check, err := standardwebhooks.NewWebhook(c.Secret)
	if err != nil {
		return misused("--secret must be whsec_ and base64, as it was shown when the endpoint was made: %w", err)
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	fmt.Fprintf(out.stdout, "Waiting for webhooks at http://%s\n", listener.Addr())
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	good := make(chan eventwire.Event)
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := check.Verify(body, r.Header); err != nil {
			fmt.Fprintf(out.stderr, "refused %q: %v\n", r.Header.Get(webhooks.HeaderID), err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		e, err := eventwire.Decode(body)
		if err != nil {
			fmt.Fprintf(out.stderr, "signed, and no event: %v\n", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		select {
		case good <- e:
		case <-ctx.Done():
		}
	})}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		defer func() {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			srv.Shutdown(last)
		}()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return nil
			case e := <-good:
				fmt.Fprintf(out.stdout, "good  %-24s %s #%d  %s\n", e.Type, e.Subject, e.Seq, e.ID)
			}
			if n == c.Count {
				return nil
			}
		}
	})
	return group.Wait()
}
