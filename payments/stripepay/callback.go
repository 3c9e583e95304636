package stripepay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"tracker/payments"
)

const (
	header      = "Stripe-Signature"
	tolerance   = webhook.DefaultTolerance
	maxCallback = 512 << 10
	maxName     = 255 // bytes of an id or a type
)

// ParseCallback verifies the raw bytes against each live secret and then reads
// the event. What is not about a payment of ours, or of a type without meaning
// here, is a callback without a report.
func (p *Provider) ParseCallback(headers map[string][]string, body []byte, now time.Time) (payments.Callback, error) {
	if len(body) > maxCallback {
		return payments.Callback{}, fmt.Errorf("%w: %d bytes", payments.ErrMalformed, len(body))
	}
	if err := p.verify(headers, body, now); err != nil {
		return payments.Callback{}, fmt.Errorf("%w: %w", payments.ErrForged, err)
	}
	var event stripe.Event
	if err := json.Unmarshal(body, &event); err != nil {
		return payments.Callback{}, malformed("event")
	}
	if event.ID == "" || len(event.ID) > maxName || event.Type == "" || len(event.Type) > maxName || event.Object != "event" || event.Data == nil {
		return payments.Callback{}, malformed("event")
	}
	c := payments.Callback{EventID: event.ID, Type: string(event.Type)}
	if err := read(&c, event); err != nil {
		return payments.Callback{}, err
	}
	if c.Report != nil {
		c.Report.OccurredAt = stamp(event.Created)
	}
	return c, nil
}

// verify accepts a signature of any live secret, made within the tolerance.
func (p *Provider) verify(headers map[string][]string, body []byte, now time.Time) error {
	var value string
	seen := 0
	for name, values := range headers {
		if strings.EqualFold(name, header) {
			seen += len(values)
			value = strings.Join(values, ",")
		}
	}
	if seen != 1 {
		return errors.New("stripepay: the signature header is missing or comes twice")
	}
	at, err := signedAt(value)
	if err != nil {
		return err
	}
	if limit := int64(tolerance / time.Second); at < now.Unix()-limit || at > now.Unix()+limit {
		return fmt.Errorf("stripepay: the timestamp is more than %s away", tolerance)
	}
	verified := false
	for _, secret := range p.secrets {
		if webhook.ValidatePayloadIgnoringTolerance(body, value, secret) == nil {
			verified = true
		}
	}
	if !verified {
		return errors.New("stripepay: no signature fits")
	}
	return nil
}

// signedAt reads the one t= of the header. Two would let a reader and the
// verifier believe different times.
func signedAt(value string) (int64, error) {
	var at int64
	found := 0
	for part := range strings.SplitSeq(value, ",") {
		if text, ok := strings.CutPrefix(part, "t="); ok {
			seconds, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, errors.New("stripepay: the timestamp is not a number")
			}
			at = seconds
			found++
		}
	}
	if found != 1 {
		return 0, errors.New("stripepay: the timestamp is missing or comes twice")
	}
	return at, nil
}

func read(c *payments.Callback, event stripe.Event) error {
	switch event.Type {
	case stripe.EventTypeCheckoutSessionCompleted, stripe.EventTypeCheckoutSessionAsyncPaymentSucceeded,
		stripe.EventTypeCheckoutSessionAsyncPaymentFailed, stripe.EventTypeCheckoutSessionExpired:
		return readSession(c, event)
	case stripe.EventTypePaymentIntentSucceeded, stripe.EventTypePaymentIntentAmountCapturableUpdated,
		stripe.EventTypePaymentIntentCanceled, stripe.EventTypePaymentIntentProcessing:
		return readIntent(c, event)
	case stripe.EventTypeRefundCreated, stripe.EventTypeRefundUpdated, stripe.EventTypeRefundFailed, stripe.EventTypeChargeRefundUpdated:
		return readRefund(c, event)
	case stripe.EventTypeChargeRefunded:
		return readCharge(c, event)
	case stripe.EventTypeChargeDisputeCreated, stripe.EventTypeChargeDisputeFundsWithdrawn:
		return readDispute(c, event)
	}
	return nil
}

func readSession(c *payments.Callback, event stripe.Event) error {
	var s stripe.CheckoutSession
	if json.Unmarshal(event.Data.Raw, &s) != nil || s.ID == "" {
		return malformed("session")
	}
	if len(s.ID) > maxName || len(s.Metadata[metaPayment]) > maxName {
		return malformed("session")
	}
	c.Payment, c.Reference = s.Metadata[metaPayment], s.ID
	if c.Payment == "" {
		return nil // somebody else's session in the same account
	}
	total, err := fromStripe(s.AmountTotal, string(s.Currency))
	if err != nil {
		return malformed("amount")
	}
	r := &payments.Report{Reference: s.ID, Amount: total.Minor, Currency: total.Currency}
	switch {
	case event.Type == stripe.EventTypeCheckoutSessionExpired:
		r.State = payments.ReportExpired
	case event.Type == stripe.EventTypeCheckoutSessionAsyncPaymentFailed:
		r.State = payments.ReportFailed
	case s.PaymentStatus == stripe.CheckoutSessionPaymentStatusPaid:
		r.State, r.Captured = payments.ReportCaptured, total.Minor
	case s.Metadata[metaCapture] == string(payments.CaptureManual):
		r.State = payments.ReportAuthorized
	default:
		r.State = payments.ReportProcessing // a method that takes days
	}
	c.Report = r
	return nil
}

func readIntent(c *payments.Callback, event stripe.Event) error {
	var intent stripe.PaymentIntent
	if json.Unmarshal(event.Data.Raw, &intent) != nil || intent.ID == "" || len(intent.Metadata[metaPayment]) > maxName {
		return malformed("payment_intent")
	}
	c.Payment = intent.Metadata[metaPayment]
	if c.Payment == "" {
		return nil
	}
	r, err := intentReport(&intent, "")
	if err != nil {
		return malformed("payment_intent")
	}
	if r.State == payments.ReportFailed {
		return nil // the shopper may try another card on Stripe's page
	}
	c.Report = &r
	return nil
}

// readRefund knows a refund of ours by its metadata. Any other was made at Stripe,
// and names only the intent that it gives back.
func readRefund(c *payments.Callback, event stripe.Event) error {
	var r stripe.Refund
	if json.Unmarshal(event.Data.Raw, &r) != nil || r.ID == "" || len(r.ID) > maxName ||
		len(r.Metadata[metaPayment]) > maxName || len(r.Metadata[metaRefund]) > maxName {
		return malformed("refund")
	}
	if r.Metadata[metaPayment] == "" || r.Metadata[metaRefund] == "" {
		return about(c, r.PaymentIntent)
	}
	t, err := transferOf(&r)
	if err != nil {
		return malformed("refund")
	}
	c.Payment = r.Metadata[metaPayment]
	c.Report = &payments.Report{Transfers: []payments.Transfer{t}}
	return nil
}

// readCharge learns from a charge only whose it is: it tells a sum of refunds and
// not which.
func readCharge(c *payments.Callback, event stripe.Event) error {
	var charge stripe.Charge
	if json.Unmarshal(event.Data.Raw, &charge) != nil || charge.ID == "" {
		return malformed("charge")
	}
	if charge.Metadata[metaPayment] == "" {
		return nil // somebody else's in the same account: a charge has its intent's metadata
	}
	return about(c, charge.PaymentIntent)
}

func readDispute(c *payments.Callback, event stripe.Event) error {
	var d stripe.Dispute
	if json.Unmarshal(event.Data.Raw, &d) != nil || d.ID == "" {
		return malformed("dispute")
	}
	return about(c, d.PaymentIntent)
}

// about leaves it to Complete to find out what the intent has become.
func about(c *payments.Callback, intent *stripe.PaymentIntent) error {
	if intent == nil {
		return nil // a charge from before there were intents: not one of ours
	}
	if len(intent.ID) > maxName {
		return malformed("payment_intent")
	}
	c.About = intent.ID
	return nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", payments.ErrMalformed, what) }
