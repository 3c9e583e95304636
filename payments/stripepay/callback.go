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

func malformed(what string) error { return fmt.Errorf("%w: %s", payments.ErrMalformed, what) }
