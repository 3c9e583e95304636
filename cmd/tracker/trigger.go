package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// triggerCommand makes something happen in the sandbox.
type triggerCommand struct {
	Order   triggerOrder   `cmd:"" help:"Create an order; with --pay and --deliver, go on."`
	Pay     triggerPay     `cmd:"" help:"Pay an order at the sandbox bank, with a decision of your choice."`
	Ship    orderShip      `cmd:"" help:"Send a parcel of an order."`
	Carrier triggerCarrier `cmd:"" help:"Report a carrier's event of a shipment."`
	Deliver triggerDeliver `cmd:"" help:"Send all that is left of an order and let the carrier deliver it."`
	Cancel  orderCancel    `cmd:"" help:"Cancel an order."`
	Refund  paymentRefund  `cmd:"" help:"Give money back."`
	Fault   triggerFault   `cmd:"" help:"Make the sandbox bank misbehave."`
}

// Help is the longer help of the command.
func (triggerCommand) Help() string {
	return `Everything goes the way that real events go: orders and shipments by the API,
payments by the form of the bank's page, and their outcome by its callbacks.

    tracker trigger order --pay approve --deliver
    tracker trigger pay ord_… --decision approve_late`
}

type triggerOrder struct {
	orderCreate
	Pay     string `placeholder:"DECISION" help:"Also pay it; see \"tracker trigger pay --help\"."`
	Deliver bool   `help:"Also ship and deliver it, once it is paid."`
}

// Run creates the order and goes on as asked.
func (c *triggerOrder) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	raw, err := api.raw(ctx, "POST", "/v1/orders", body)
	if err != nil {
		return err
	}
	if err := show(out, c.JSON, raw, printOrder); err != nil {
		return err
	}
	var o orderView
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	if c.Pay != "" {
		pay := triggerPay{remote: c.remote, ID: o.ID, Decision: c.Pay}
		if err := pay.Run(ctx, out); err != nil {
			return err
		}
	}
	if !c.Deliver {
		return nil
	}
	if c.Pay == "" {
		return errors.New("--deliver needs --pay: what is not paid is not sent")
	}
	if err := confirmed(ctx, api, o.ID); err != nil {
		return err
	}
	deliver := triggerDeliver{remote: c.remote, ID: o.ID, Carrier: "dhl"}
	return deliver.Run(ctx, out)
}

// confirmed waits, by long polls, until the order is paid.
func confirmed(ctx context.Context, api *apiClient, order string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cursor := int64(0)
	for ctx.Err() == nil {
		var page struct {
			Events []eventView `json:"events"`
			Cursor int64       `json:"cursor"`
		}
		path := fmt.Sprintf("/v1/orders/%s/events?after=%d&wait=20", order, cursor)
		if err := api.call(ctx, "GET", path, nil, &page); err != nil {
			return err
		}
		cursor = page.Cursor
		for _, e := range page.Events {
			if e.Data.Transition.To == "confirmed" {
				return nil
			}
		}
	}
	return fmt.Errorf("%s was not paid within a minute (tracker why %s)", order, order)
}

type triggerPay struct {
	remote
	ID       string `arg:"" name:"order" help:"The order's id (ord_…), or a payment that waits for the shopper (pay_…)."`
	Decision string `default:"approve" placeholder:"DECISION" help:"What the bank does. Default: approve."`
	Manual   bool   `help:"Only authorize; capture later."`
}

// Help is the longer help of the command.
func (triggerPay) Help() string {
	return `The decisions of the sandbox bank:

    approve               paid at once
    decline               the bank says no
    pend                  says nothing until another decision
    approve_silent        takes the money and never calls back
    approve_late          approves after the payment has run out
    approve_twice         the same callback twice, and once under a new id
    approve_reordered     an older "processing" after the success
    approve_wrong_amount  reports another sum
    approve_then_reverse  says yes, and takes it back a little later
    unavailable           answers 503 for a while and decides nothing`
}

// Run starts a payment, presses the button on the bank's page and shows the
// payment as it is then; its outcome arrives by the bank's callback.
func (c *triggerPay) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	p, err := c.payment(ctx, api)
	if err != nil {
		return err
	}
	if p.NextAction == nil || p.NextAction.URL == "" {
		return fmt.Errorf("%s is %s: there is no page to pay at (tracker why %s)", p.ID, p.Status, p.ID)
	}
	if err := press(ctx, api.http, p.NextAction.URL, c.Decision); err != nil {
		return err
	}
	if c.JSON {
		return get(ctx, out, c.remote, "/v1/payments/"+p.ID, printPayment)
	}
	fmt.Fprintf(out.stdout, "%s  the bank was told: %s\n  follow it with: tracker watch %s\n", p.ID, c.Decision, p.ID)
	return nil
}

func (c *triggerPay) payment(ctx context.Context, api *apiClient) (p paymentView, err error) {
	if strings.HasPrefix(c.ID, "pay_") {
		return p, api.call(ctx, "GET", "/v1/payments/"+url.PathEscape(c.ID), nil, &p)
	}
	body := map[string]any{"order_id": c.ID}
	if c.Manual {
		body["capture"] = "manual"
	}
	return p, api.call(ctx, "POST", "/v1/payments", body, &p)
}

// press submits the form of the bank's page, as a browser would. The bank sends
// the browser back to the shop, which is not followed.
func press(ctx context.Context, client *http.Client, page, decision string) error {
	form := strings.NewReader(url.Values{"decision": {decision}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	still := *client
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := still.Do(req)
	if err != nil {
		return unreachable(req.URL, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("the bank does not know the decision %q (see \"tracker trigger pay --help\")", decision)
	case res.StatusCode >= 400:
		return fmt.Errorf("the bank's page answered %s", res.Status)
	}
	return nil
}

type triggerCarrier struct {
	remote
	Shipment    string    `arg:"" help:"The shipment's id (shp_…)."`
	Status      string    `arg:"" help:"For example picked_up, in_transit, out_for_delivery, delivered, delayed, exception, lost."`
	OccurredAt  time.Time `format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"When, in RFC 3339. Default: now."`
	Location    string    `placeholder:"TEXT" help:"Where."`
	Description string    `placeholder:"TEXT" help:"In the carrier's words."`
}

// Run reports the event.
func (c *triggerCarrier) Run(ctx context.Context, out *console) error {
	return post(ctx, out, c.remote, "/v1/shipments/"+url.PathEscape(c.Shipment)+"/events", c.body(), printShipment)
}

func (c *triggerCarrier) body() map[string]any {
	body := map[string]any{"status": c.Status}
	for name, value := range map[string]string{"location": c.Location, "description": c.Description} {
		if value != "" {
			body[name] = value
		}
	}
	if !c.OccurredAt.IsZero() {
		body["occurred_at"] = c.OccurredAt.UTC().Format(time.RFC3339)
	}
	return body
}

type triggerDeliver struct {
	remote
	ID      string `arg:"" name:"order" help:"The order's id (ord_…)."`
	Carrier string `default:"dhl" help:"Who carries it. Default: dhl."`
}

// Run ships what is left and reports each step of the parcel.
func (c *triggerDeliver) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	var s shipmentView
	body := map[string]any{"carrier": c.Carrier, "tracking_number": newReference()}
	if err := api.call(ctx, "POST", "/v1/orders/"+url.PathEscape(c.ID)+"/shipments", body, &s); err != nil {
		return err
	}
	var raw json.RawMessage
	for _, status := range []string{"picked_up", "in_transit", "out_for_delivery", "delivered"} {
		if raw, err = api.raw(ctx, "POST", "/v1/shipments/"+s.ID+"/events", map[string]any{"status": status}); err != nil {
			return err
		}
	}
	return show(out, c.JSON, raw, printShipment)
}

type triggerFault struct {
	Kind       string `arg:"" help:"For example unavailable, timeout, lost_answer, slow, html, drop_callbacks, delay_callbacks, duplicate, reorder, forge, hold_refunds, fail_refunds; or clear."`
	For        string `placeholder:"DURATION" help:"Ends after so long."`
	Count      int    `placeholder:"N" help:"Ends after so many uses."`
	Match      string `placeholder:"WORDS" help:"Only calls of this name, or about this payment or order."`
	Delay      string `placeholder:"DURATION" help:"Of the kinds that have one."`
	BankURL    string `name:"bank-url" placeholder:"URL" help:"Where the sandbox bank is (TRACKER_BANK_URL). Default: http://127.0.0.1:8090."`
	BankSecret string `placeholder:"WHSEC" help:"The secret that we share with it (TRACKER_BANK_SECRET)."`
}

// Run asks the bank to misbehave. This is the one command that talks to the bank
// and not to the tracker.
func (c *triggerFault) Run(ctx context.Context, out *console) error {
	secret := firstOf(c.BankSecret, out.getenv("TRACKER_BANK_SECRET"))
	if secret == "" {
		return errors.New("the bank's secret is needed: give --bank-secret or set TRACKER_BANK_SECRET (the sandbox keeps its own in sandbox-secrets.json in its data directory)")
	}
	base := strings.TrimSuffix(firstOf(c.BankURL, out.getenv("TRACKER_BANK_URL"), "http://127.0.0.1:8090"), "/")
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
