package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// triggerCommand makes something happen in the sandbox.
type triggerCommand struct {
	Order   triggerOrder   `cmd:"" help:"Create an order, of a cup by default; with --pay and --deliver, go on."`
	Pay     triggerPay     `cmd:"" help:"Pay an order at the sandbox bank, with a decision of your choice."`
	Ship    orderShip      `cmd:"" help:"Send a parcel of an order."`
	Carrier triggerCarrier `cmd:"" help:"Report a carrier's event of a shipment."`
	Deliver triggerDeliver `cmd:"" help:"Send all that is left of an order and let the carrier deliver it."`
	Cancel  orderCancel    `cmd:"" help:"Cancel an order."`
	Refund  paymentRefund  `cmd:"" help:"Give money back."`
	Fault   triggerFault   `cmd:"" help:"Make the sandbox bank misbehave."`

	BankRefund triggerBankRefund `cmd:"" help:"Give money back at the bank, as somebody there would: it then tells the tracker."`
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

// Run creates the order, of a cup where nothing is said, and goes on as asked.
func (c *triggerOrder) Run(ctx context.Context, out *console) error {
	if c.Pay == "" && c.Deliver {
		return misused("--deliver needs --pay: what is not paid is not sent")
	}
	if c.Pay != "" {
		if err := checkDecision(c.Pay); err != nil {
			return err
		}
	}
	if c.File == "" && len(c.Item) == 0 {
		c.Item = []string{"cup,Cup,1,1999"}
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	api, err := c.dial(out)
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
	return submit(ctx, out, c.remote, "/v1/shipments/"+url.PathEscape(c.Shipment)+"/events", c.body(), printShipment)
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
