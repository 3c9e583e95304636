package web_test

import (
	"context"

	"tracker/notify/webhooks"
	"tracker/payments"
)

// fakePayments answers with what a test gives it, and otherwise knows nothing.
type fakePayments struct {
	StartFunc     func(ctx context.Context, in payments.Start) (payments.Payment, error)
	GetFunc       func(ctx context.Context, merchant, id string) (payments.Payment, error)
	ListFunc      func(ctx context.Context, merchant string, f payments.Filter) (payments.Page, error)
	CommandFunc   func(ctx context.Context, op string, in payments.Command, amount int64) (payments.Payment, error)
	RefundFunc    func(ctx context.Context, in payments.NewRefund) (payments.Refund, payments.Payment, error)
	GetRefundFunc func(ctx context.Context, merchant, id string) (payments.Refund, error)
	CallbackFunc  func(ctx context.Context, provider string, header map[string][]string, body []byte) error
}

func (f *fakePayments) Start(ctx context.Context, in payments.Start) (payments.Payment, error) {
	if f.StartFunc == nil {
		return payments.Payment{}, payments.ErrNotFound
	}
	return f.StartFunc(ctx, in)
}

func (f *fakePayments) Get(ctx context.Context, merchant, id string) (payments.Payment, error) {
	if f.GetFunc == nil {
		return payments.Payment{}, payments.ErrNotFound
	}
	return f.GetFunc(ctx, merchant, id)
}

func (f *fakePayments) List(ctx context.Context, merchant string, filter payments.Filter) (payments.Page, error) {
	if f.ListFunc == nil {
		return payments.Page{}, nil
	}
	return f.ListFunc(ctx, merchant, filter)
}

func (f *fakePayments) command(ctx context.Context, op string, in payments.Command, amount int64) (payments.Payment, error) {
	if f.CommandFunc == nil {
		return payments.Payment{}, payments.ErrNotFound
	}
	return f.CommandFunc(ctx, op, in, amount)
}

func (f *fakePayments) Capture(ctx context.Context, in payments.Command, amount int64) (payments.Payment, error) {
	return f.command(ctx, "capture", in, amount)
}

func (f *fakePayments) Void(ctx context.Context, in payments.Command) (payments.Payment, error) {
	return f.command(ctx, "void", in, 0)
}

func (f *fakePayments) Cancel(ctx context.Context, in payments.Command) (payments.Payment, error) {
	return f.command(ctx, "cancel", in, 0)
}

func (f *fakePayments) Review(ctx context.Context, in payments.Command, d payments.Decision) (payments.Payment, error) {
	return f.command(ctx, "review "+string(d), in, 0)
}

func (f *fakePayments) Refund(ctx context.Context, in payments.NewRefund) (payments.Refund, payments.Payment, error) {
	if f.RefundFunc == nil {
		return payments.Refund{}, payments.Payment{}, payments.ErrNotFound
	}
	return f.RefundFunc(ctx, in)
}

func (f *fakePayments) GetRefund(ctx context.Context, merchant, id string) (payments.Refund, error) {
	if f.GetRefundFunc == nil {
		return payments.Refund{}, payments.ErrNotFound
	}
	return f.GetRefundFunc(ctx, merchant, id)
}

func (f *fakePayments) Callback(ctx context.Context, provider string, header map[string][]string, body []byte) error {
	if f.CallbackFunc == nil {
		return payments.ErrNotFound
	}
	return f.CallbackFunc(ctx, provider, header, body)
}

func (f *fakePayments) Nudge(context.Context, string, string) error { return nil }

// fakeWebhooks keeps one endpoint per merchant, if a test gives it any.
type fakeWebhooks struct {
	endpoint   webhooks.Endpoint
	attempts   webhooks.AttemptPage
	err        error
	lastFilter webhooks.AttemptFilter
	lastReplay webhooks.ReplayRequest
}

func (f *fakeWebhooks) find(merchant, id string) (webhooks.Endpoint, error) {
	if f.err != nil {
		return webhooks.Endpoint{}, f.err
	}
	if f.endpoint.ID != id || f.endpoint.Merchant != merchant {
		return webhooks.Endpoint{}, webhooks.ErrNotFound
	}
	return f.endpoint, nil
}

func (f *fakeWebhooks) Prepare(_ context.Context, merchant string, in webhooks.NewEndpoint) (webhooks.Record, error) {
	if f.err != nil {
		return webhooks.Record{}, f.err
	}
	e := f.endpoint
	e.Merchant, e.URL, e.Events = merchant, in.URL, in.Events
	return webhooks.Record{Endpoint: e}, nil
}

func (f *fakeWebhooks) Add(_ context.Context, r webhooks.Record) (webhooks.Endpoint, error) {
	e := r.Endpoint
	e.Secret = "whsec_c2VjcmV0"
	return e, nil
}

func (f *fakeWebhooks) Get(_ context.Context, merchant, id string) (webhooks.Endpoint, error) {
	return f.find(merchant, id)
}

func (f *fakeWebhooks) List(_ context.Context, merchant string) ([]webhooks.Endpoint, error) {
	if f.endpoint.Merchant != merchant {
		return nil, nil
	}
	return []webhooks.Endpoint{f.endpoint}, nil
}

func (f *fakeWebhooks) Update(_ context.Context, merchant, id string, change webhooks.Change) (webhooks.Endpoint, error) {
	e, err := f.find(merchant, id)
	if change.URL != nil {
		e.URL = *change.URL
	}
	return e, err
}

func (f *fakeWebhooks) Delete(_ context.Context, merchant, id string, _ int64) error {
	_, err := f.find(merchant, id)
	return err
}

func (f *fakeWebhooks) RotateSecret(_ context.Context, merchant, id string, _ int64) (webhooks.Endpoint, error) {
	e, err := f.find(merchant, id)
	e.Secret = "whsec_bmV3"
	return e, err
}

func (f *fakeWebhooks) Attempts(_ context.Context, merchant string, filter webhooks.AttemptFilter) (webhooks.AttemptPage, error) {
	f.lastFilter = filter
	_, err := f.find(merchant, filter.Endpoint)
	return f.attempts, err
}

func (f *fakeWebhooks) Replay(_ context.Context, merchant, id string, r webhooks.ReplayRequest) (int, error) {
	f.lastReplay = r
	_, err := f.find(merchant, id)
	return 3, err
}
