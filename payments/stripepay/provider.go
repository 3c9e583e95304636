package stripepay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"tracker/payments"
)

// ProviderName is the word in POST /v1/callbacks/{provider}.
const ProviderName = "stripe"

// The metadata that our objects at Stripe carry, so that their messages can be
// told apart from everything else that happens in the account.
const (
	metaPayment = "tracker_payment"
	metaRefund  = "tracker_refund"
	metaCapture = "tracker_capture"
)

// Options configure a Provider. Key and Secrets have no default.
type Options struct {
	Key     string   // sk_test_… or sk_live_…, or a restricted key
	Secrets []string // whsec_…; two while the endpoint's secret is being rolled
	BaseURL string   // empty: Stripe's own
	// Origin is where Stripe's page is; empty: https://checkout.stripe.com. An
	// account with a domain of its own names that.
	Origin    string
	Timeout   time.Duration // of one call; 0: 10 s
	Now       func() time.Time
	Transport http.RoundTripper
}

// Provider is the payments.Provider for Stripe. Safe for concurrent use.
type Provider struct {
	client  *stripe.Client
	secrets []string
	origin  string
	now     func() time.Time
}

var (
	_ payments.Provider  = (*Provider)(nil)
	_ payments.Completer = (*Provider)(nil)
)

// New checks the options and talks to nobody.
func New(opts Options) (*Provider, error) {
	if opts.Key == "" {
		return nil, errors.New("stripepay: no key")
	}
	if len(opts.Secrets) == 0 {
		return nil, errors.New("stripepay: no webhook secret")
	}
	for i, secret := range opts.Secrets {
		if !strings.HasPrefix(secret, "whsec_") || len(secret) < len("whsec_")+16 {
			return nil, fmt.Errorf("stripepay: webhook secret %d is not one of Stripe's", i+1)
		}
	}
	origin, err := url.Parse(cmp.Or(opts.Origin, "https://checkout.stripe.com"))
	if err != nil || origin.Scheme != "https" || origin.Host == "" {
		return nil, errors.New("stripepay: the origin of the page is not an https URL")
	}
	p := &Provider{client: newClient(opts), secrets: opts.Secrets, origin: "https://" + origin.Host, now: opts.Now}
	if p.now == nil {
		p.now = time.Now
	}
	return p, nil
}

// Name is "stripe".
func (p *Provider) Name() string { return ProviderName }

// Origins is where Stripe's page is.
func (p *Provider) Origins() []string { return []string{p.origin} }

// Create opens a Checkout Session over one line: the order.
func (p *Provider) Create(ctx context.Context, in payments.NewSession) (payments.Session, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return payments.Session{}, err
	}
	back, err := backURL(in.ReturnURL)
	if err != nil {
		return payments.Session{}, &payments.RejectedError{Code: "return_url_missing", Err: err}
	}
	metadata := map[string]string{metaPayment: in.Payment, metaCapture: string(in.Capture)}
	capture := stripe.PaymentIntentCaptureMethodAutomatic
	if in.Capture == payments.CaptureManual {
		capture = stripe.PaymentIntentCaptureMethodManual
	}
	params := &stripe.CheckoutSessionCreateParams{
		Mode:       stripe.String(stripe.CheckoutSessionModePayment),
		SuccessURL: stripe.String(back), CancelURL: stripe.String(back),
		ClientReferenceID: stripe.String(in.Payment), Metadata: metadata,
		AdaptivePricing: &stripe.CheckoutSessionCreateAdaptivePricingParams{Enabled: stripe.Bool(false)},
		LineItems: []*stripe.CheckoutSessionCreateLineItemParams{{
			Quantity: stripe.Int64(1),
			PriceData: &stripe.CheckoutSessionCreateLineItemPriceDataParams{
				Currency:    stripe.String(strings.ToLower(string(in.Amount.Currency))),
				UnitAmount:  stripe.Int64(amount),
				ProductData: &stripe.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: stripe.String(cmp.Or(in.Title, in.Order))},
			},
		}},
		PaymentIntentData: &stripe.CheckoutSessionCreatePaymentIntentDataParams{
			CaptureMethod: stripe.String(capture), Metadata: metadata,
		},
	}
	params.SetIdempotencyKey(in.Key)
	s, err := p.client.V1CheckoutSessions.Create(ctx, params)
	if err != nil {
		return payments.Session{}, failure("create", err)
	}
	if s.ID == "" || !strings.HasPrefix(s.URL, "https://") {
		return payments.Session{}, fmt.Errorf("%w: stripepay: create: not a session", payments.ErrTimeout)
	}
	return payments.Session{Reference: s.ID, RedirectURL: s.URL}, nil
}

// Status reads the session, the intent behind it, and the refunds behind that.
func (p *Provider) Status(ctx context.Context, reference string) (payments.Report, error) {
	s, err := p.session(ctx, reference)
	if err != nil {
		return payments.Report{}, err
	}
	report, err := sessionReport(s, p.now())
	if err != nil {
		return payments.Report{}, unreadable("status", err)
	}
	if s.PaymentIntent == nil || report.Captured == 0 {
		return report, nil
	}
	report.Transfers, err = p.transfers(ctx, s.PaymentIntent.ID)
	return report, err
}

// Capture takes part or all of what is reserved. Stripe releases the rest.
func (p *Provider) Capture(ctx context.Context, in payments.Operation) (payments.Report, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return payments.Report{}, err
	}
	s, err := p.session(ctx, in.Reference)
	if err != nil {
		return payments.Report{}, err
	}
	if s.PaymentIntent == nil {
		return payments.Report{}, &payments.RejectedError{Code: "not_approved"}
	}
	params := &stripe.PaymentIntentCaptureParams{}
	if amount != 0 { // 0: all of it
		params.AmountToCapture = stripe.Int64(amount)
	}
	params.SetIdempotencyKey(in.Key)
	intent, err := p.client.V1PaymentIntents.Capture(ctx, s.PaymentIntent.ID, params)
	if err != nil {
		return payments.Report{}, failure("capture", err)
	}
	return p.intentAnswer("capture", intent, in.Reference)
}

// Void cancels the intent, which releases what is reserved. What a partial
// capture left was released by that.
func (p *Provider) Void(ctx context.Context, in payments.Operation) (payments.Report, error) {
	s, err := p.session(ctx, in.Reference)
	if err != nil {
		return payments.Report{}, err
	}
	if s.PaymentIntent == nil {
		return payments.Report{}, &payments.RejectedError{Code: "not_approved"}
	}
	switch s.PaymentIntent.Status {
	case stripe.PaymentIntentStatusCanceled, stripe.PaymentIntentStatusSucceeded:
		return p.intentAnswer("void", s.PaymentIntent, in.Reference) // done before
	}
	params := &stripe.PaymentIntentCancelParams{}
	params.SetIdempotencyKey(in.Key)
	intent, err := p.client.V1PaymentIntents.Cancel(ctx, s.PaymentIntent.ID, params)
	if err != nil {
		return payments.Report{}, failure("void", err)
	}
	return p.intentAnswer("void", intent, in.Reference)
}

// Cancel expires the session, or says what the shopper made of it first.
func (p *Provider) Cancel(ctx context.Context, in payments.Operation) (payments.Report, error) {
	params := &stripe.CheckoutSessionExpireParams{}
	params.SetIdempotencyKey(in.Key)
	s, err := p.client.V1CheckoutSessions.Expire(ctx, in.Reference, params)
	if err == nil {
		report, err := sessionReport(s, p.now())
		if err != nil {
			return payments.Report{}, unreadable("cancel", err)
		}
		return report, nil
	}
	err = failure("cancel", err)
	if !errors.Is(err, payments.ErrRejected) {
		return payments.Report{}, err
	}
	// Only an open session can be expired: this one is complete, or expired.
	report, asked := p.Status(ctx, in.Reference)
	if asked != nil || report.State == payments.ReportOpen {
		return payments.Report{}, cmp.Or(asked, err)
	}
	return report, nil
}

// Refund sends back part or all of what was captured. Stripe forgets a key after a
// day at the earliest, and the repetition may come later than that: what has been
// made of this refund is looked for first.
func (p *Provider) Refund(ctx context.Context, in payments.NewTransfer) (payments.Transfer, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return payments.Transfer{}, err
	}
	s, err := p.session(ctx, in.Reference)
	if err != nil {
		return payments.Transfer{}, err
	}
	if s.PaymentIntent == nil {
		return payments.Transfer{}, &payments.RejectedError{Code: "not_captured"}
	}
	made, err := p.transfers(ctx, s.PaymentIntent.ID)
	if err != nil {
		return payments.Transfer{}, err
	}
	for _, t := range made {
		if t.Refund != "" && t.Refund == in.Refund {
			return t, nil
		}
	}
	params := &stripe.RefundCreateParams{
		PaymentIntent: stripe.String(s.PaymentIntent.ID),
		Metadata:      map[string]string{metaPayment: in.Payment, metaRefund: in.Refund},
	}
	if amount != 0 { // 0: the rest
		params.Amount = stripe.Int64(amount)
	}
	params.SetIdempotencyKey(in.Key)
	r, err := p.client.V1Refunds.Create(ctx, params)
	if err != nil {
		return payments.Transfer{}, failure("refund", err)
	}
	t, err := transferOf(r)
	if err != nil {
		return payments.Transfer{}, unreadable("refund", err)
	}
	return t, nil
}

// backURL is the shop's return address with from=bank, which chooses words there
// and proves nothing.
func backURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", errors.New("stripepay: Checkout needs an address to return to")
	}
	if u.Query().Get("from") != "bank" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&from=bank", "&")
	}
	return u.String(), nil
}

func unreadable(call string, err error) error {
	return fmt.Errorf("%w: stripepay: %s: %w", payments.ErrTimeout, call, err)
}
