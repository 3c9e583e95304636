package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
)

// paymentsCommand groups what a merchant does with payments.
type paymentsCommand struct {
	Start   paymentStart   `cmd:"" help:"Start a payment of an order and print where the shopper pays."`
	Get     paymentGet     `cmd:"" help:"Show one payment with its timeline."`
	List    paymentList    `cmd:"" help:"List payments, newest first."`
	Capture paymentCapture `cmd:"" help:"Take money that is authorized."`
	Void    paymentVoid    `cmd:"" help:"Release money that is authorized."`
	Cancel  paymentCancel  `cmd:"" help:"Cancel a payment that nobody has made yet."`
	Refund  paymentRefund  `cmd:"" help:"Give money back."`
	Review  paymentReview  `cmd:"" help:"Decide a payment that does not add up."`
}

type paymentStart struct {
	remote
	Order     string `arg:"" help:"The order's id (ord_…)."`
	Manual    bool   `help:"Only authorize; capture later."`
	Force     bool   `help:"Even though another payment of the order is under way."`
	ReturnURL string `name:"return-url" placeholder:"URL" help:"Where the bank sends the shopper back to."`
}

// Run starts the payment.
func (c *paymentStart) Run(ctx context.Context, out *console) error {
	body := map[string]any{"order_id": c.Order}
	if c.Manual {
		body["capture"] = "manual"
	}
	if c.Force {
		body["force"] = true
	}
	if c.ReturnURL != "" {
		body["return_url"] = c.ReturnURL
	}
	return submit(ctx, out, c.remote, "/v1/payments", body, printPayment)
}

// onePayment are the flags of a command about one payment.
type onePayment struct {
	remote
	ID string `arg:"" name:"payment" help:"The payment's id (pay_…)."`
}

func (c onePayment) path() string { return "/v1/payments/" + url.PathEscape(c.ID) }

type paymentGet struct{ onePayment }

// Run shows the payment.
func (c *paymentGet) Run(ctx context.Context, out *console) error {
	return fetch(ctx, out, c.remote, c.path(), printPayment)
}

type paymentList struct {
	remote
	Order         string `placeholder:"ORDER" help:"Only of this order."`
	Status        string `placeholder:"STATUS" help:"Only in this state."`
	Limit         int    `default:"20" help:"How many, 1 to 100. Default: 20."`
	StartingAfter string `placeholder:"PAYMENT" help:"Go on after this payment."`
}

// Run lists payments.
func (c *paymentList) Run(ctx context.Context, out *console) error {
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	setIf(q, "order_id", c.Order)
	setIf(q, "status", c.Status)
	setIf(q, "starting_after", c.StartingAfter)
	return fetch(ctx, out, c.remote, "/v1/payments?"+q.Encode(), func(w io.Writer, page listView[paymentView]) {
		table(w, "PAYMENT\tORDER\tSTATUS\tAMOUNT\tCAPTURED\tREFUNDED\tNEXT CHECK\tUPDATED", func(row func(...any)) {
			for _, p := range page.Data {
				next := ""
				if p.NextCheckAt != nil {
					next = timeText(*p.NextCheckAt)
				}
				row(p.ID, p.OrderID, p.Status, moneyText(p.Amount, p.Currency), moneyText(p.Captured, p.Currency), moneyText(p.Refunded, p.Currency), next, timeText(p.UpdatedAt))
			}
		})
		if page.HasMore {
			fmt.Fprintf(w, "More: --starting-after %s\n", page.Data[len(page.Data)-1].ID)
		}
	})
}

type paymentCapture struct {
	onePayment
	Amount int64 `placeholder:"MINOR" help:"In minor units. Default: all that is authorized."`
}

// Run captures.
func (c *paymentCapture) Run(ctx context.Context, out *console) error {
	body := map[string]any{}
	if c.Amount != 0 {
		body["amount"] = c.Amount
	}
	return submit(ctx, out, c.remote, c.path()+"/capture", body, printPayment)
}

type paymentVoid struct{ onePayment }

// Run voids.
func (c *paymentVoid) Run(ctx context.Context, out *console) error {
	return submit(ctx, out, c.remote, c.path()+"/void", map[string]any{}, printPayment)
}

type paymentCancel struct{ onePayment }

// Run cancels.
func (c *paymentCancel) Run(ctx context.Context, out *console) error {
	return submit(ctx, out, c.remote, c.path()+"/cancel", map[string]any{}, printPayment)
}

type paymentReview struct {
	onePayment
	Decision string `arg:"" enum:"accept,return" help:"accept keeps the money, return gives it back."`
}

// Run decides the review.
func (c *paymentReview) Run(ctx context.Context, out *console) error {
	return submit(ctx, out, c.remote, c.path()+"/review", map[string]any{"decision": c.Decision}, printPayment)
}

type paymentRefund struct {
	onePayment
	Amount int64  `placeholder:"MINOR" help:"In minor units. Default: all that is left."`
	Reason string `placeholder:"TEXT" help:"Why."`
}

// Run refunds.
func (c *paymentRefund) Run(ctx context.Context, out *console) error {
	body := map[string]any{"payment_id": c.ID}
	if c.Amount != 0 {
		body["amount"] = c.Amount
	}
	if c.Reason != "" {
		body["reason"] = c.Reason
	}
	return submit(ctx, out, c.remote, "/v1/refunds", body, printRefund)
}

func printRefund(w io.Writer, r refundView) {
	fmt.Fprintf(w, "%s  %s\n  of        %s\n", r.ID, r.Status, r.PaymentID)
	if r.Reason != "" {
		fmt.Fprintf(w, "  reason    %s\n", r.Reason)
	}
}

func printPayment(w io.Writer, p paymentView) {
	fmt.Fprintf(w, "%s  of %s\n", p.ID, p.OrderID)
	fmt.Fprintf(w, "  state     %s   (sequence %d)\n", p.Status, p.Sequence)
	fmt.Fprintf(w, "  amount    %s, captured %s, refunded %s\n", moneyText(p.Amount, p.Currency), moneyText(p.Captured, p.Currency), moneyText(p.Refunded, p.Currency))
	if p.Provider != "" {
		fmt.Fprintf(w, "  provider  %s %s\n", p.Provider, p.Reference)
	}
	if p.NextAction != nil && p.NextAction.URL != "" {
		fmt.Fprintf(w, "  pay at    %s\n", p.NextAction.URL)
	}
	if p.NextCheckAt != nil {
		fmt.Fprintf(w, "  checked   %d times, again at %s UTC\n", p.Checks, timeText(*p.NextCheckAt))
	}
	for _, r := range p.Refunds {
		fmt.Fprintf(w, "  refund    %s  %s  %s\n", r.ID, r.Status, moneyText(r.Amount, p.Currency))
	}
	printTimeline(w, p.Timeline)
}
