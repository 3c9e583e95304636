package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// ordersCommand groups what a merchant does with orders.
type ordersCommand struct {
	Create orderCreate `cmd:"" help:"Create an order."`
	Get    orderGet    `cmd:"" help:"Show one order with its timeline."`
	List   orderList   `cmd:"" help:"List orders, newest first."`
	Cancel orderCancel `cmd:"" help:"Cancel an order; what was paid is refunded."`
	Ship   orderShip   `cmd:"" help:"Send a parcel of an order."`
}

type orderCreate struct {
	remote
	Reference string        `placeholder:"TEXT" help:"Your own number of the order. Default: one made of the time."`
	Currency  string        `default:"EUR" placeholder:"CODE" help:"ISO 4217. Default: EUR."`
	Item      []string      `sep:"none" placeholder:"SKU,NAME,QUANTITY,UNIT_AMOUNT" help:"An item; the amount in minor units (1999 is 19.99 EUR). May be repeated."`
	ExpiresIn time.Duration `placeholder:"DURATION" help:"For how long it can be paid."`
	File      string        `placeholder:"FILE" help:"The whole order as the API's JSON, from a file or from - (standard input), instead of the flags."`
}

// Help is the longer help of the command.
func (orderCreate) Help() string {
	return `For example:

    tracker orders create --item mug,Mug,2,1450 --item tea,"Green tea",1,890`
}

// Run creates the order.
func (c *orderCreate) Run(ctx context.Context, out *console) error {
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
	return show(out, c.JSON, raw, printOrder)
}

func (c *orderCreate) body() (any, error) {
	if c.File != "" && len(c.Item) > 0 {
		return nil, misused("--item and --file: the file is the whole order, give one of them")
	}
	if c.File != "" {
		text, err := readInput(c.File)
		if err != nil {
			return nil, err
		}
		if !json.Valid(text) {
			return nil, misused("--file: %s does not hold JSON", c.File)
		}
		return json.RawMessage(text), nil
	}
	items, err := parseItems(c.Item)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"reference": firstOf(c.Reference, newReference()), "currency": c.Currency, "items": items}
	if c.ExpiresIn > 0 {
		body["expires_in"] = c.ExpiresIn.String()
	}
	return body, nil
}

func newReference() string { return "CLI-" + time.Now().UTC().Format("20060102-150405.000") }

func readInput(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

func parseItems(list []string) ([]itemView, error) {
	if len(list) == 0 {
		return nil, misused("what is ordered? Give --item, or the whole order by --file")
	}
	items := make([]itemView, len(list))
	for i, text := range list {
		part := strings.Split(text, ",")
		if len(part) != 4 {
			return nil, misused("--item %q must be SKU,NAME,QUANTITY,UNIT_AMOUNT", text)
		}
		quantity, err1 := strconv.ParseInt(part[2], 10, 64)
		amount, err2 := strconv.ParseInt(part[3], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, misused("--item %q: quantity and unit amount must be whole numbers", text)
		}
		items[i] = itemView{SKU: part[0], Name: part[1], Quantity: quantity, UnitAmount: amount}
	}
	return items, nil
}

type orderGet struct {
	remote
	ID string `arg:"" name:"order" help:"The order's id (ord_…)."`
}

// Run shows the order.
func (c *orderGet) Run(ctx context.Context, out *console) error {
	return fetch(ctx, out, c.remote, "/v1/orders/"+url.PathEscape(c.ID), printOrder)
}

// fetch asks for one thing and prints it.
func fetch[T any](ctx context.Context, out *console, r remote, path string, human func(io.Writer, T)) error {
	api, err := r.dial(out)
	if err != nil {
		return err
	}
	raw, err := api.raw(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	return show(out, r.JSON, raw, human)
}

// submit does one thing and prints what came of it.
func submit[T any](ctx context.Context, out *console, r remote, path string, body any, human func(io.Writer, T)) error {
	api, err := r.dial(out)
	if err != nil {
		return err
	}
	raw, err := api.raw(ctx, "POST", path, body)
	if err != nil {
		return err
	}
	return show(out, r.JSON, raw, human)
}

type orderList struct {
	remote
	Status        []string `placeholder:"STATUS" help:"Only in these states (pending_payment, confirmed, completed, cancelled, expired)."`
	PaymentStatus []string `placeholder:"STATUS" help:"Only in these states of payment."`
	WaitsFor      []string `placeholder:"WHO" help:"Only those that wait for: shopper, merchant, bank, carrier, nobody."`
	Reference     string   `placeholder:"TEXT" help:"Only with this reference."`
	Limit         int      `default:"20" help:"How many, 1 to 100. Default: 20."`
	StartingAfter string   `placeholder:"ORDER" help:"Go on after this order."`
}

// Run lists orders.
func (c *orderList) Run(ctx context.Context, out *console) error {
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, list := range map[string][]string{"status": c.Status, "payment_status": c.PaymentStatus, "waits_for": c.WaitsFor} {
		if len(list) > 0 {
			q.Set(name, strings.Join(list, ","))
		}
	}
	setIf(q, "reference", c.Reference)
	setIf(q, "starting_after", c.StartingAfter)
	return fetch(ctx, out, c.remote, "/v1/orders?"+q.Encode(), func(w io.Writer, page listView[orderView]) {
		table(w, "ORDER\tREFERENCE\tSTATUS\tPAYMENT\tFULFILMENT\tAMOUNT\tWAITS FOR\tUPDATED", func(row func(...any)) {
			for _, o := range page.Data {
				row(o.ID, o.Reference, o.Status, o.PaymentStatus, o.FulfillmentStatus, moneyText(o.Amount, o.Currency), waits(o), timeText(o.UpdatedAt))
			}
		})
		if page.HasMore {
			fmt.Fprintf(w, "More: --starting-after %s\n", page.Data[len(page.Data)-1].ID)
		}
	})
}

func setIf(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

type orderCancel struct {
	remote
	ID     string `arg:"" name:"order" help:"The order's id (ord_…)."`
	Reason string `placeholder:"TEXT" help:"Why; the shopper may read it."`
}

// Run cancels the order.
func (c *orderCancel) Run(ctx context.Context, out *console) error {
	body := map[string]any{}
	if c.Reason != "" {
		body["reason"] = c.Reason
	}
	return submit(ctx, out, c.remote, "/v1/orders/"+url.PathEscape(c.ID)+"/cancel", body, printOrder)
}

type orderShip struct {
	remote
	ID             string   `arg:"" name:"order" help:"The order's id (ord_…)."`
	Carrier        string   `default:"dhl" help:"Who carries it. Default: dhl."`
	TrackingNumber string   `placeholder:"TEXT" help:"The carrier's number of the parcel. Default: one made up."`
	Item           []string `placeholder:"SKU=QUANTITY" help:"What is in it; default: all that was not sent yet. May be repeated."`
}

// Run sends a parcel.
func (c *orderShip) Run(ctx context.Context, out *console) error {
	body := map[string]any{"carrier": c.Carrier, "tracking_number": firstOf(c.TrackingNumber, newReference())}
	var items []map[string]any
	for _, text := range c.Item {
		sku, count, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(count)
		if !ok || err != nil {
			return misused("--item %q must be SKU=QUANTITY", text)
		}
		items = append(items, map[string]any{"sku": sku, "quantity": n})
	}
	if items != nil {
		body["items"] = items
	}
	return submit(ctx, out, c.remote, "/v1/orders/"+url.PathEscape(c.ID)+"/shipments", body, printShipment)
}

func printShipment(w io.Writer, s shipmentView) {
	fmt.Fprintf(w, "%s  %s\n  carrier   %s %s\n", s.ID, s.Status, s.Carrier, s.TrackingNumber)
}

func printOrder(w io.Writer, o orderView) {
	fmt.Fprintf(w, "%s  %s\n", o.ID, o.Reference)
	fmt.Fprintf(w, "  state     %s · %s · %s   (sequence %d)\n", o.Status, o.PaymentStatus, o.FulfillmentStatus, o.Sequence)
	fmt.Fprintf(w, "  amount    %s\n", moneyText(o.Amount, o.Currency))
	if o.WaitsFor != "" {
		fmt.Fprintf(w, "  waits for %s\n", waits(o))
	}
	if o.Status == "pending_payment" {
		fmt.Fprintf(w, "  pay by    %s UTC\n", timeText(o.PayBy))
	}
	for _, i := range o.Items {
		fmt.Fprintf(w, "  item      %d × %s (%s) at %s\n", i.Quantity, i.Name, i.SKU, moneyText(i.UnitAmount, o.Currency))
	}
	for _, p := range o.Payments {
		fmt.Fprintf(w, "  payment   %s  %s  %s\n", p.ID, p.Status, moneyText(p.Amount, o.Currency))
	}
	for _, s := range o.Shipments {
		fmt.Fprintf(w, "  shipment  %s  %s  %s %s\n", s.ID, s.Status, s.Carrier, s.TrackingNumber)
	}
	if o.TrackingURL != "" {
		fmt.Fprintf(w, "  track     %s\n", o.TrackingURL)
	}
	printTimeline(w, o.Timeline)
}

func waits(o orderView) string {
	if o.Task == "" || o.Task == "none" {
		return o.WaitsFor
	}
	return o.WaitsFor + ": " + o.Task
}
