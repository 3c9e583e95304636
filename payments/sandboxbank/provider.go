package sandboxbank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tracker/payments"
	"tracker/payments/money"
)

// ProviderName is the word in POST /v1/callbacks/{provider}.
const ProviderName = "sandbox"

// ProviderOptions configure the shop's side of the bank.
type ProviderOptions struct {
	BaseURL     string   // where the bank's API is
	PublicURL   string   // where customers reach its page; empty: BaseURL
	Secrets     []string // the first is sent to the API, all of them verify callbacks
	CallbackURL string   // where the bank shall call
	Shop        string   // the name on the bank's page
	Timeout     time.Duration
	Transport   http.RoundTripper
}

// Provider is the payments.Provider for the sandbox bank.
type Provider struct {
	opts   ProviderOptions
	client *Client
	signer *Signer
	origin string
}

var _ payments.Provider = (*Provider)(nil)

// NewProvider checks the options and talks to nobody.
func NewProvider(opts ProviderOptions) (*Provider, error) {
	signer, err := NewSigner(opts.Secrets...)
	if err != nil {
		return nil, err
	}
	client, err := NewClient(opts.BaseURL, opts.Secrets[0], opts.Timeout, opts.Transport)
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(cmp.Or(opts.PublicURL, opts.BaseURL))
	if err != nil || public.Host == "" || !webURL(opts.CallbackURL) {
		return nil, errors.New("sandboxbank: the public address or the callback address is not an http or https URL")
	}
	return &Provider{opts: opts, client: client, signer: signer, origin: public.Scheme + "://" + public.Host}, nil
}

// Name is "sandbox".
func (p *Provider) Name() string { return ProviderName }

// Origins is the origin of the bank's page.
func (p *Provider) Origins() []string { return []string{p.origin} }

// Create opens a session. The bank keeps one per payment, whatever the key.
func (p *Provider) Create(ctx context.Context, in payments.NewSession) (payments.Session, error) {
	s, err := p.client.Open(ctx, SessionRequest{
		Payment: in.Payment, OrderReference: in.Title, Shop: p.opts.Shop,
		Amount: in.Amount.Minor, Currency: string(in.Amount.Currency), Capture: string(in.Capture),
		ReturnURL: in.ReturnURL, CallbackURL: p.opts.CallbackURL, ExpiresAt: in.ExpiresAt,
	})
	if err != nil {
		return payments.Session{}, err
	}
	if s.ID == "" || s.Payment != in.Payment || !webURL(s.URL) || s.URL == "" {
		return payments.Session{}, fmt.Errorf("%w: sandboxbank: the answer is about something else", payments.ErrTimeout)
	}
	return payments.Session{Reference: s.ID, RedirectURL: s.URL, Payee: s.Payee}, nil
}

// Status asks for the session and, where money went back, for its refunds.
func (p *Provider) Status(ctx context.Context, reference string) (payments.Report, error) {
	s, err := p.client.Session(ctx, reference)
	if err != nil {
		return payments.Report{}, err
	}
	report, err := reportOf(s, reference)
	if err != nil || s.Captured == 0 {
		return report, err
	}
	refunds, err := p.client.Refunds(ctx, reference)
	if err != nil {
		return payments.Report{}, err
	}
	for _, r := range refunds {
		t, err := transferOf(r)
		if err != nil {
			return payments.Report{}, err
		}
		report.Transfers = append(report.Transfers, t)
	}
	return report, nil
}

// Capture takes part or all of what is reserved.
func (p *Provider) Capture(ctx context.Context, in payments.Operation) (payments.Report, error) {
	s, err := p.client.Capture(ctx, in.Reference, in.Key, CaptureRequest{Amount: in.Amount.Minor})
	if err != nil {
		return payments.Report{}, err
	}
	return reportOf(s, in.Reference)
}

// Void releases what is reserved.
func (p *Provider) Void(ctx context.Context, in payments.Operation) (payments.Report, error) {
	s, err := p.client.Void(ctx, in.Reference)
	if err != nil {
		return payments.Report{}, err
	}
	return reportOf(s, in.Reference)
}

// Cancel ends the session, or says what the shopper made of it first.
func (p *Provider) Cancel(ctx context.Context, in payments.Operation) (payments.Report, error) {
	s, err := p.client.Cancel(ctx, in.Reference)
	var refused *payments.RejectedError
	if errors.As(err, &refused) && refused.Code == "not_cancellable" {
		return p.Status(ctx, in.Reference)
	}
	if err != nil {
		return payments.Report{}, err
	}
	return reportOf(s, in.Reference)
}

// Refund gives back part or all of what was taken.
func (p *Provider) Refund(ctx context.Context, in payments.NewTransfer) (payments.Transfer, error) {
	r, err := p.client.Refund(ctx, in.Reference, in.Key, RefundRequest{
		Amount: in.Amount.Minor, Reference: in.Refund, Reason: in.Reason,
	})
	if err != nil {
		return payments.Transfer{}, err
	}
	return transferOf(r)
}

// reportOf translates a session. An answer about another session, or in a status
// that nobody told us of, is no answer.
func reportOf(s Session, reference string) (payments.Report, error) {
	state, ok := reportState(s.Status)
	if !ok || s.ID != reference || s.Amount < 1 || s.Captured < 0 {
		return payments.Report{}, fmt.Errorf("%w: sandboxbank: the answer is about something else", payments.ErrTimeout)
	}
	return payments.Report{
		Reference: s.ID, State: state, Amount: s.Amount, Captured: s.Captured,
		Currency: money.Currency(s.Currency), Payee: s.Payee,
		DeclineCode: s.DeclineCode, OccurredAt: s.OccurredAt,
	}, nil
}

func reportState(status string) (payments.ReportState, bool) {
	switch status {
	case StatusOpen:
		return payments.ReportOpen, true
	case StatusPending:
		return payments.ReportProcessing, true
	case StatusAuthorized:
		return payments.ReportAuthorized, true
	case StatusPartiallyCaptured, StatusCaptured:
		return payments.ReportCaptured, true
	case StatusDeclined:
		return payments.ReportFailed, true
	case StatusExpired:
		return payments.ReportExpired, true
	case StatusCancelled, StatusVoided:
		return payments.ReportCancelled, true
	case StatusReversed:
		return payments.ReportReversed, true
	}
	return "", false
}

func transferOf(r Refund) (payments.Transfer, error) {
	t := payments.Transfer{Refund: r.Reference, Reference: r.ID, Amount: r.Amount, Code: r.Code, At: r.UpdatedAt}
	switch r.Status {
	case RefundPending:
		t.Status = payments.RefundPending
	case RefundSucceeded:
		t.Status = payments.RefundSucceeded
	case RefundFailed:
		t.Status = payments.RefundFailed
	default:
		return t, fmt.Errorf("%w: sandboxbank: a refund in an unknown status", payments.ErrTimeout)
	}
	return t, nil
}
