package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/payments"
)

// Payments is what the API does with payments. Implemented by
// *payments.Service.
type Payments interface {
	Start(ctx context.Context, in payments.Start) (payments.Payment, error)
	Get(ctx context.Context, merchant, id string) (payments.Payment, error)
	List(ctx context.Context, merchant string, f payments.Filter) (payments.Page, error)
	Capture(ctx context.Context, in payments.Command, amount int64) (payments.Payment, error)
	Void(ctx context.Context, in payments.Command) (payments.Payment, error)
	Cancel(ctx context.Context, in payments.Command) (payments.Payment, error)
	Review(ctx context.Context, in payments.Command, decision payments.Decision) (payments.Payment, error)
	Refund(ctx context.Context, in payments.NewRefund) (payments.Refund, payments.Payment, error)
	GetRefund(ctx context.Context, merchant, id string) (payments.Refund, error)
	Callback(ctx context.Context, provider string, header map[string][]string, body []byte) error
	// Nudge brings the next check of a payment forward: somebody is waiting.
	Nudge(ctx context.Context, merchant, id string) error
}

type paymentView struct {
	payments.Summary
	Timeline []eventwire.Transition `json:"timeline,omitempty"`
}

// startPayment begins a payment, for a merchant or for the holder of the
// order's tracking token.
func (s *Server) startPayment(ctx context.Context, c echo.Context, in newPaymentBody) (answer, error) {
	if in.OrderID == "" {
		return answer{}, invalidField("/order_id", "required", "must not be empty")
	}
	p := principalOf(c)
	start := payments.Start{
		Merchant: p.key.Merchant, OrderID: in.OrderID, Provider: in.Provider, ReturnURL: in.ReturnURL, Capture: in.Capture,
		Key: commandKey(c), By: payments.CauseMerchant, Force: in.Force,
	}
	if !p.isMerchant() {
		if in.Force || in.Capture == payments.CaptureManual || in.Provider != "" {
			return answer{}, newProblem("forbidden", "Only the merchant's key may force a payment, keep the capture for later or choose the provider.")
		}
		if err := s.checkToken(ctx, in.OrderID, p); err != nil {
			return answer{}, err
		}
		t, _ := p.token(in.OrderID)
		start.Merchant, start.By = t.Merchant, payments.CauseShopper
	}
	payment, err := s.deps.Payments.Start(ctx, start)
	if err != nil {
		return answer{}, err
	}
	a, err := paymentAnswer(http.StatusCreated, payment)
	if err != nil {
		return answer{}, err
	}
	return a.at("/v1/payments/" + payment.ID), nil
}

// commandKey is the key under which payments makes a command repeatable. A
// shopper's is kept apart from the merchant's own.
func commandKey(c echo.Context) string {
	key := c.Request().Header.Get("Idempotency-Key")
	p := principalOf(c)
	if key == "" || p.isMerchant() {
		return key
	}
	return p.name() + "/" + key
}

func (s *Server) getPayment(ctx context.Context, c echo.Context) (answer, error) {
	payment, err := s.findPayment(ctx, principalOf(c), c.Param("id"))
	if err != nil {
		return answer{}, err
	}
	return paymentAnswer(http.StatusOK, payment)
}

// findPayment returns a payment that p may see.
func (s *Server) findPayment(ctx context.Context, p principal, id string) (payments.Payment, error) {
	if p.isMerchant() {
		return s.deps.Payments.Get(ctx, p.key.Merchant, id)
	}
	for _, t := range p.tokens {
		payment, err := s.deps.Payments.Get(ctx, t.Merchant, id)
		if err == nil && payment.OrderID == t.Order {
			return payment, s.checkToken(ctx, t.Order, p)
		}
	}
	return payments.Payment{}, payments.ErrNotFound
}

func (s *Server) listPayments(ctx context.Context, c echo.Context) (answer, error) {
	q := c.QueryParams()
	f := payments.Filter{OrderID: q.Get("order_id"), Status: payments.Status(q.Get("status")), Reference: q.Get("reference"), StartingAfter: q.Get("starting_after")}
	var err error
	if f.Limit, err = limitOf(q); err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	merchantID := p.key.Merchant
	if !p.isMerchant() {
		if err := s.checkToken(ctx, f.OrderID, p); err != nil {
			return answer{}, err
		}
		t, _ := p.token(f.OrderID)
		merchantID = t.Merchant
	}
	page, err := s.deps.Payments.List(ctx, merchantID, f)
	if err != nil {
		return answer{}, queryProblem(err)
	}
	views := make([]paymentView, len(page.Payments))
	for i := range page.Payments {
		views[i] = paymentView{Summary: page.Payments[i].Summary()}
	}
	return reply(http.StatusOK, listView[paymentView]{Data: views, HasMore: page.HasMore})
}

func (s *Server) capturePayment(ctx context.Context, c echo.Context, in captureBody) (answer, error) {
	amount, err := positive(in.Amount)
	if err != nil {
		return answer{}, err
	}
	return s.command(c, func(cmd payments.Command) (payments.Payment, error) { return s.deps.Payments.Capture(ctx, cmd, amount) })
}

func (s *Server) voidPayment(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	return s.command(c, func(cmd payments.Command) (payments.Payment, error) { return s.deps.Payments.Void(ctx, cmd) })
}

func (s *Server) cancelPayment(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	return s.command(c, func(cmd payments.Command) (payments.Payment, error) { return s.deps.Payments.Cancel(ctx, cmd) })
}

func (s *Server) reviewPayment(ctx context.Context, c echo.Context, in reviewBody) (answer, error) {
	if in.Decision != payments.DecisionAccept && in.Decision != payments.DecisionReturn {
		return answer{}, invalidField("/decision", "unknown", "must be accept or return")
	}
	return s.command(c, func(cmd payments.Command) (payments.Payment, error) {
		return s.deps.Payments.Review(ctx, cmd, in.Decision)
	})
}

func (s *Server) command(c echo.Context, do func(payments.Command) (payments.Payment, error)) (answer, error) {
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	payment, err := do(payments.Command{
		Merchant: principalOf(c).key.Merchant, ID: c.Param("id"), IfSequence: seq, By: payments.CauseMerchant, Key: commandKey(c),
	})
	if err != nil {
		return answer{}, err
	}
	return paymentAnswer(http.StatusOK, payment)
}

// paymentAnswer has the sequence as ETag, for If-Match alone: it does not count how
// often the bank was asked and when it is asked next, so a GET never answers 304 by it.
func paymentAnswer(status int, p payments.Payment) (answer, error) {
	a, err := reply(status, paymentView{Summary: p.Summary(), Timeline: p.Timeline})
	if err != nil {
		return answer{}, err
	}
	a.whole = true
	return a.tagged(p.Sequence), nil
}

// positive checks an amount that may be left out, which means all.
func positive(amount *int64) (int64, error) {
	if amount == nil {
		return 0, nil
	}
	if *amount < 1 {
		return 0, invalidField("/amount", "out_of_range", "must be at least 1, or left out for all")
	}
	return *amount, nil
}
