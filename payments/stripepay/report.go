package stripepay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v85"

	"tracker/payments"
)

// maxTransfers bounds the refunds that a status reads: three pages of Stripe's.
const maxTransfers = 300

var errForeign = errors.New("the answer is about something else")

// session reads a Checkout Session with the intent and the charge behind it.
func (p *Provider) session(ctx context.Context, reference string) (*stripe.CheckoutSession, error) {
	params := &stripe.CheckoutSessionRetrieveParams{}
	params.AddExpand("payment_intent.latest_charge")
	s, err := p.client.V1CheckoutSessions.Retrieve(ctx, reference, params)
	if err != nil {
		return nil, failure("status", err)
	}
	if s.ID != reference {
		return nil, unreadable("status", errForeign)
	}
	return s, nil
}

// sessionReport says what a session has become. now tells an end that we asked
// for from one that Stripe's clock brought: both read "expired".
func sessionReport(s *stripe.CheckoutSession, now time.Time) (payments.Report, error) {
	total, err := fromStripe(s.AmountTotal, string(s.Currency))
	if err != nil {
		return payments.Report{}, err
	}
	r := payments.Report{Reference: s.ID, Amount: total.Minor, Currency: total.Currency}
	switch s.Status {
	case stripe.CheckoutSessionStatusExpired:
		r.State = payments.ReportExpired
		if now.Before(time.Unix(s.ExpiresAt, 0)) {
			r.State = payments.ReportCancelled
		}
		return r, nil
	case stripe.CheckoutSessionStatusOpen:
		r.State = payments.ReportOpen
		return r, nil
	case stripe.CheckoutSessionStatusComplete:
		if s.PaymentIntent == nil || s.PaymentIntent.Status == "" {
			return payments.Report{}, errors.New("a complete session without its intent")
		}
		return intentReport(s.PaymentIntent, s.ID)
	}
	return payments.Report{}, fmt.Errorf("session status %.40q", s.Status)
}

// intentReport says what a payment intent has become. A reference that is empty
// is one that the message does not tell.
func intentReport(intent *stripe.PaymentIntent, reference string) (payments.Report, error) {
	total, err := fromStripe(intent.Amount, string(intent.Currency))
	if err != nil {
		return payments.Report{}, err
	}
	received, err := fromStripe(intent.AmountReceived, string(intent.Currency))
	if err != nil {
		return payments.Report{}, err
	}
	r := payments.Report{Reference: reference, Amount: total.Minor, Currency: total.Currency}
	switch intent.Status {
	case stripe.PaymentIntentStatusSucceeded:
		r.State, r.Captured = payments.ReportCaptured, received.Minor
		if intent.LatestCharge != nil && intent.LatestCharge.Disputed {
			r.State = payments.ReportReversed
		}
	case stripe.PaymentIntentStatusRequiresCapture:
		r.State = payments.ReportAuthorized
	case stripe.PaymentIntentStatusProcessing:
		r.State = payments.ReportProcessing
	case stripe.PaymentIntentStatusCanceled:
		r.State, r.OccurredAt = payments.ReportCancelled, stamp(intent.CanceledAt)
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		r.State = payments.ReportFailed // of a complete session: the method failed later
		if intent.LastPaymentError != nil {
			r.DeclineCode = word(string(intent.LastPaymentError.DeclineCode))
		}
	case stripe.PaymentIntentStatusRequiresAction, stripe.PaymentIntentStatusRequiresConfirmation:
		r.State = payments.ReportProcessing
	default:
		return payments.Report{}, fmt.Errorf("intent status %.40q", intent.Status)
	}
	return r, nil
}

func (p *Provider) intentAnswer(call string, intent *stripe.PaymentIntent, reference string) (payments.Report, error) {
	r, err := intentReport(intent, reference)
	if err != nil {
		return payments.Report{}, unreadable(call, err)
	}
	return r, nil
}

// transfers lists the refunds of an intent, oldest first.
func (p *Provider) transfers(ctx context.Context, intent string) ([]payments.Transfer, error) {
	params := &stripe.RefundListParams{PaymentIntent: stripe.String(intent)}
	params.Limit = stripe.Int64(100)
	var newestFirst []payments.Transfer
	for r, err := range p.client.V1Refunds.List(ctx, params).All(ctx) {
		if err != nil {
			return nil, failure("refunds", err)
		}
		t, err := transferOf(r)
		if err != nil {
			return nil, unreadable("refunds", err)
		}
		if newestFirst = append(newestFirst, t); len(newestFirst) == maxTransfers {
			break
		}
	}
	list := make([]payments.Transfer, len(newestFirst))
	for i, t := range newestFirst {
		list[len(list)-1-i] = t
	}
	return list, nil
}

// Complete reads the intent that a message about a refund or a dispute names,
// and the refunds of it.
func (p *Provider) Complete(ctx context.Context, c payments.Callback) (payments.Callback, error) {
	params := &stripe.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	intent, err := p.client.V1PaymentIntents.Retrieve(ctx, c.About, params)
	if err != nil {
		err = failure("complete", err)
		if errors.Is(err, payments.ErrRejected) {
			return c, nil // not one that we can see: asking again cannot help
		}
		return c, err
	}
	if intent.ID != c.About {
		return c, unreadable("complete", errForeign)
	}
	name := intent.Metadata[metaPayment]
	if name == "" || len(name) > maxName {
		return c, nil // somebody else's in the same account
	}
	r, err := intentReport(intent, "")
	if err != nil {
		return c, unreadable("complete", err)
	}
	if r.Captured == 0 {
		return c, nil // no money, so nothing went back
	}
	if r.Transfers, err = p.transfers(ctx, intent.ID); err != nil {
		return c, err
	}
	c.Payment, c.Report = name, &r
	return c, nil
}

func transferOf(r *stripe.Refund) (payments.Transfer, error) {
	amount, err := fromStripe(r.Amount, string(r.Currency))
	if err != nil {
		return payments.Transfer{}, err
	}
	t := payments.Transfer{Refund: r.Metadata[metaRefund], Reference: r.ID, Amount: amount.Minor, At: stamp(r.Created)}
	switch r.Status {
	case stripe.RefundStatusPending:
		t.Status = payments.RefundPending
	case stripe.RefundStatusSucceeded:
		t.Status = payments.RefundSucceeded
	case stripe.RefundStatusRequiresAction:
		t.Status = payments.RefundRequiresAction
	case stripe.RefundStatusCanceled:
		t.Status = payments.RefundCancelled
	case stripe.RefundStatusFailed:
		t.Status, t.Code = payments.RefundFailed, word(string(r.FailureReason))
	default:
		return t, fmt.Errorf("refund status %.40q", r.Status)
	}
	if r.ID == "" {
		return t, errForeign
	}
	return t, nil
}

// stamp is a time of Stripe's, which counts in seconds; 0 is none.
func stamp(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
