package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/payments"
)

type refundView struct {
	payments.RefundSummary
	Currency string            `json:"currency,omitempty"`
	Payment  *payments.Summary `json:"payment,omitempty"`
}

func (s *Server) createRefund(ctx context.Context, c echo.Context, in newRefundBody) (answer, error) {
	if in.PaymentID == "" {
		return answer{}, invalidField("/payment_id", "required", "must not be empty")
	}
	amount, err := positive(in.Amount)
	if err != nil {
		return answer{}, err
	}
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	refund, payment, err := s.deps.Payments.Refund(ctx, payments.NewRefund{
		Merchant: p.key.Merchant, PaymentID: in.PaymentID, Amount: amount, Reason: in.Reason, Key: commandKey(c), By: payments.CauseMerchant,
		IfSequence: seq,
	})
	if err != nil {
		return answer{}, err
	}
	summary := payment.Summary()
	a, err := reply(http.StatusCreated, refundView{RefundSummary: refund.Summary(), Currency: string(summary.Currency), Payment: &summary})
	if err != nil {
		return answer{}, err
	}
	return a.at("/v1/refunds/" + refund.ID), nil
}

func (s *Server) getRefund(ctx context.Context, c echo.Context) (answer, error) {
	refund, err := s.deps.Payments.GetRefund(ctx, principalOf(c).key.Merchant, c.Param("id"))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, refundView{RefundSummary: refund.Summary()})
}

// receiveCallback hands a provider's message over as it came: its signature covers the
// raw bytes.
func (s *Server) receiveCallback(ctx context.Context, c echo.Context) (answer, error) {
	body, _ := c.Get(bodyKey).([]byte)
	if err := s.deps.Payments.Callback(ctx, c.Param("provider"), c.Request().Header, body); err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, map[string]bool{"received": true})
}

func problemOfProviders(err error) *problem {
	var unavailable *payments.UnavailableError
	switch {
	case errors.Is(err, payments.ErrForged):
		return newProblem("forged_callback", "")
	case errors.Is(err, payments.ErrMalformed):
		return newProblem("malformed_callback", "")
	case errors.As(err, &unavailable):
		return newProblem("provider_unavailable", "").retryAfter(max(unavailable.RetryAfter, time.Second))
	case errors.Is(err, payments.ErrUnavailable), errors.Is(err, payments.ErrTimeout):
		return newProblem("provider_unavailable", "").retryAfter(time.Second)
	case errors.Is(err, payments.ErrRejected):
		return newProblem("rejected_by_provider", "")
	}
	return nil
}
