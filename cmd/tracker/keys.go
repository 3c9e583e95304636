package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// keysCommand groups what a merchant does with keys.
type keysCommand struct {
	Create keyCreate `cmd:"" help:"Make a key that can do no more than the one that asks."`
	List   keyList   `cmd:"" help:"List keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke a key; its open streams end within seconds."`
}

type keyView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Mode       string     `json:"mode"`
	Scopes     []string   `json:"scopes"`
	Hint       string     `json:"hint"`
	Secret     string     `json:"secret"`
	Current    bool       `json:"current"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

type keyCreate struct {
	remote
	Name  string   `arg:"" optional:"" help:"What it is for."`
	Scope []string `placeholder:"SCOPE" help:"read, write, refunds, webhooks. Default: those of the key that asks."`
}

// Run makes the key. It is printed once: only a hash of it is stored.
func (c *keyCreate) Run(ctx context.Context, out *console) error {
	body := map[string]any{"name": c.Name}
	if len(c.Scope) > 0 {
		body["scopes"] = c.Scope
	}
	return submit(ctx, out, c.remote, "/v1/keys", body, func(w io.Writer, k keyView) {
		fmt.Fprintf(w, "%s\n\n  id      %s\n  scopes  %s\nIt is not shown again.\n", k.Secret, k.ID, strings.Join(k.Scopes, " "))
	})
}

type keyList struct{ remote }

// Run lists the keys.
func (c *keyList) Run(ctx context.Context, out *console) error {
	return fetch(ctx, out, c.remote, "/v1/keys", func(w io.Writer, page listView[keyView]) {
		table(w, "KEY\tNAME\tMODE\tSCOPES\tHINT\tLAST USED\tSTATE", func(row func(...any)) {
			for _, k := range page.Data {
				row(k.ID, k.Name, k.Mode, strings.Join(k.Scopes, " "), k.Hint, timeOr(k.LastUsedAt, "never"), keyState(k))
			}
		})
	})
}

func keyState(k keyView) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked " + timeText(*k.RevokedAt)
	case k.Current:
		return "in use here"
	}
	return "active"
}

func timeOr(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return timeText(*t)
}

type keyRevoke struct {
	remote
	ID string `arg:"" name:"id" help:"The id of the key, as \"tracker keys list\" shows it; not the key itself."`
}

// Run revokes the key.
func (c *keyRevoke) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	raw, err := api.raw(ctx, "DELETE", "/v1/keys/"+url.PathEscape(c.ID), nil)
	if err != nil {
		return err
	}
	return show(out, c.JSON, raw, func(w io.Writer, k keyView) { fmt.Fprintf(w, "%s is revoked.\n", k.ID) })
}
