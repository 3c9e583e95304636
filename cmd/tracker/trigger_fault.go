package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// bankDoor is how a command reaches the sandbox bank's own API.
type bankDoor struct {
	BankURL    string `name:"bank-url" placeholder:"URL" help:"Where the sandbox bank is (TRACKER_BANK_URL). Default: http://127.0.0.1:8090."`
	BankSecret string `placeholder:"WHSEC" help:"The secret that we share with it (TRACKER_BANK_SECRET)."`
}

func (d bankDoor) key(out *console) (base, secret string, err error) {
	if secret = firstOf(d.BankSecret, out.getenv("TRACKER_BANK_SECRET")); secret == "" {
		return "", "", errors.New("the bank's secret is needed: give --bank-secret or set TRACKER_BANK_SECRET (the sandbox keeps its own in sandbox-secrets.json in its data directory)")
	}
	secret, _, _ = strings.Cut(secret, ",") // during a rotation there are two
	return strings.TrimSuffix(firstOf(d.BankURL, out.getenv("TRACKER_BANK_URL"), "http://127.0.0.1:8090"), "/"), secret, nil
}

type triggerFault struct {
	bankDoor
	Kind  string `arg:"" help:"For example unavailable, timeout, lost_answer, slow, html, drop_callbacks, delay_callbacks, duplicate, reorder, forge, hold_refunds, fail_refunds; or clear."`
	For   string `placeholder:"DURATION" help:"Ends after so long."`
	Count int    `placeholder:"N" help:"Ends after so many uses."`
	Match string `placeholder:"WORDS" help:"Only calls of this name, or about this payment or order."`
	Delay string `placeholder:"DURATION" help:"Of the kinds that have one."`
}

// Run asks the bank to misbehave.
func (c *triggerFault) Run(ctx context.Context, out *console) error {
	base, secret, err := c.key(out)
	if err != nil {
		return err
	}
	method, body := http.MethodPost, map[string]any{"kind": c.Kind}
	for name, value := range map[string]string{"for": c.For, "match": c.Match, "delay": c.Delay} {
		if value != "" {
			body[name] = value
		}
	}
	if c.Count > 0 {
		body["count"] = c.Count
	}
	if c.Kind == "clear" {
		method = http.MethodDelete
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/faults", bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+secret)
	return c.send(out, req)
}

func (c *triggerFault) send(out *console, req *http.Request) error {
	client := &http.Client{Timeout: requestTimeout}
	res, err := client.Do(req)
	if err != nil {
		return unreachable(req.URL, err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // only for the message
	if res.StatusCode >= 300 {
		var e struct {
			Error struct{ Code, Message string }
		}
		_ = json.Unmarshal(raw, &e) // then the status alone must do
		return fmt.Errorf("the bank refuses: %s", firstOf(e.Error.Message, res.Status))
	}
	if c.Kind == "clear" {
		fmt.Fprintln(out.stdout, "The bank behaves again.")
		return nil
	}
	fmt.Fprintf(out.stdout, "The bank misbehaves: %s.\n", c.Kind)
	return nil
}
