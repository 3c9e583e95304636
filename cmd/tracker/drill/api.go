package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// roleOf is the route table of config/deploy/nginx.conf, as far as it is used here.
func roleOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	switch {
	case strings.HasSuffix(path, "/events") && !strings.HasPrefix(path, "/v1/shipments"):
		return "notify"
	case strings.HasPrefix(path, "/v1/payments"), strings.HasPrefix(path, "/v1/refunds"):
		return "payments"
	}
	return "orders"
}

type object = map[string]any

// refusal is an answer that repeating would not change.
type refusal struct {
	status int
	text   []byte
}

func (e *refusal) Error() string { return fmt.Sprintf("%d %s", e.status, e.text) }

// post repeats a write under one Idempotency-Key until it is answered with
// success, or refused for good.
func (r *Rig) post(ctx context.Context, path, key string, body object, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for {
		err := r.once(ctx, http.MethodPost, path, key, text, into)
		if err == nil {
			return nil
		}
		if no, ok := err.(*refusal); ok {
			return fmt.Errorf("POST %s: %w", path, no)
		}
		if rest(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("POST %s: %w", path, err)
		}
	}
}

// get repeats a read until it is answered.
func (r *Rig) get(ctx context.Context, path string, into any) error {
	for {
		err := r.once(ctx, http.MethodGet, path, "", nil, into)
		if err == nil {
			return nil
		}
		if no, ok := err.(*refusal); ok {
			return fmt.Errorf("GET %s: %w", path, no)
		}
		if rest(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
	}
}

func (r *Rig) once(ctx context.Context, method, path, key string, text []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.base(path)+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	if key != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	switch {
	case err != nil:
		return err
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests, running(res.StatusCode, answer):
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	case res.StatusCode >= 300:
		return &refusal{res.StatusCode, answer}
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}

// base is where a path is served.
func (r *Rig) base(path string) string {
	if r.edge != "" {
		return r.edge
	}
	return "http://" + r.fronts[roleOf(path)].Addr()
}

// running reports that an earlier request under the same key is still at it.
func running(status int, answer []byte) bool {
	return status == http.StatusConflict && bytes.Contains(answer, []byte("idempotency"))
}

// decide presses a button of the bank's page until the bank has heard it.
func (r *Rig) decide(ctx context.Context, page, decision string) error {
	still := &http.Client{Transport: r.http.Transport, Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"decision": {decision}}.Encode()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := still.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode < 500 { // what is decided stays decided: a repetition is a conflict
				return nil
			}
			err = fmt.Errorf("the bank: %s", res.Status)
		}
		if rest(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

type transition struct {
	Seq  int64
	Type string
}

// orderAnswer and paymentAnswer are as much of the API's answers as is checked.
type orderAnswer struct {
	ID       string
	Status   string
	Sequence int64
	Timeline []transition

	PaymentStatus string `json:"payment_status"`
}

type paymentAnswer struct {
	ID, Status                 string
	Sequence                   int64
	Amount, Captured, Refunded int64
	RefundPending              int64      `json:"refund_pending"`
	NextCheckAt                *time.Time `json:"next_check_at"`
	Timeline                   []transition
	NextAction                 *struct{ URL string } `json:"next_action"`
}

// truths asks for the feeds as they are now, a few at a time.
func (r *Rig) truths(ctx context.Context, feeds []*Feed) (map[string]Truth, error) {
	found := make([]Truth, len(feeds))
	err := parallel(ctx, len(feeds), 16, func(i int) (err error) {
		found[i], err = r.truth(ctx, feeds[i])
		return err
	})
	truth := map[string]Truth{}
	for _, t := range found {
		if t.ID != "" {
			truth[t.ID] = t
		}
	}
	return truth, err
}

func (r *Rig) truth(ctx context.Context, f *Feed) (Truth, error) {
	if f.Parent != "" {
		var p paymentAnswer
		err := r.get(ctx, "/v1/payments/"+f.ID, &p)
		t := Truth{ID: p.ID, Sequence: p.Sequence, Status: p.Status, Timeline: types(p.Timeline), Amount: p.Amount, Captured: p.Captured, Refunded: p.Refunded, Pending: p.RefundPending}
		t.Settled = p.NextCheckAt != nil || finalPayment(p.Status)
		return t, ignoreMissing(err)
	}
	var o orderAnswer
	err := r.get(ctx, "/v1/orders/"+f.ID, &o)
	t := Truth{ID: o.ID, Sequence: o.Sequence, Status: o.Status, Timeline: types(o.Timeline)}
	t.Closed = o.Status == "completed" || o.Status == "cancelled" || o.Status == "expired"
	return t, ignoreMissing(err)
}

// ignoreMissing leaves a 404 to the checker.
func ignoreMissing(err error) error {
	if err != nil && strings.Contains(err.Error(), ": 404 ") {
		return nil
	}
	return err
}

// finalPayment lists what needs no check any more, from the design's table.
func finalPayment(status string) bool {
	switch status {
	case "captured", "partially_refunded", "refunded", "failed", "expired", "cancelled", "voided", "reversed", "review":
		return true
	}
	return false
}

// types numbers the timeline by its sequences: a hole would shift what follows.
func types(list []transition) []string {
	out := make([]string, len(list))
	for i, t := range list {
		if t.Seq == int64(i+1) {
			out[i] = t.Type
		}
	}
	return out
}
