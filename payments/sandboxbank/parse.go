package sandboxbank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tracker/payments"
	"tracker/payments/money"
)

// maxCallback bounds the body of a callback; the bank's have 250 bytes.
const maxCallback = 64 << 10

// ParseCallback verifies the raw bytes and then reads them. A type that nobody
// told us of is a callback without a report.
func (p *Provider) ParseCallback(header map[string][]string, body []byte, now time.Time) (payments.Callback, error) {
	if len(body) > maxCallback {
		return payments.Callback{}, fmt.Errorf("%w: %d bytes", payments.ErrMalformed, len(body))
	}
	id, err := p.signer.Verify(header, body, now)
	if err != nil {
		return payments.Callback{}, fmt.Errorf("%w: %w", payments.ErrForged, err)
	}
	return parseCallback(id, body)
}

func parseCallback(id string, body []byte) (payments.Callback, error) {
	envelope, err := members(body)
	if err != nil {
		return payments.Callback{}, malformed("the body", err)
	}
	c := payments.Callback{EventID: id}
	if err := json.Unmarshal(envelope["type"], &c.Type); err != nil || c.Type == "" || len(c.Type) > maxText {
		return payments.Callback{}, malformed("type", err)
	}
	state, known := callbackState(c.Type)
	data, err := members(envelope["data"])
	if err != nil && known {
		return payments.Callback{}, malformed("data", err)
	}
	_ = json.Unmarshal(data["payment"], &c.Payment) // missing or no text: empty, and checked below
	_ = json.Unmarshal(data["reference"], &c.Reference)
	if len(c.Payment) > maxText || len(c.Reference) > maxText {
		return payments.Callback{}, malformed("payment or reference", errors.New("too long"))
	}
	if !known {
		return c, nil
	}
	if c.Payment == "" && c.Reference == "" {
		return payments.Callback{}, malformed("payment", errors.New("it names no payment"))
	}
	c.Report, err = callbackReport(state, c.Reference, data)
	if err != nil {
		return payments.Callback{}, err
	}
	return c, nil
}

func callbackState(kind string) (payments.ReportState, bool) {
	switch kind {
	case typeSucceeded:
		return payments.ReportCaptured, true
	case typeFailed:
		return payments.ReportFailed, true
	case typeProcessing:
		return payments.ReportProcessing, true
	case typeAuthorized:
		return payments.ReportAuthorized, true
	case typeReversed:
		return payments.ReportReversed, true
	case typeRefunded:
		return payments.ReportNothing, true
	}
	return "", false
}

func callbackReport(state payments.ReportState, reference string, data map[string]json.RawMessage) (*payments.Report, error) {
	r := &payments.Report{Reference: reference, State: state}
	// A pointer tells a sum that is missing, or null, from one that is zero.
	var amount *int64
	if err := json.Unmarshal(data["amount"], &amount); err != nil || amount == nil || *amount < 1 {
		return nil, malformed("amount", err)
	}
	var currency string
	if err := json.Unmarshal(data["currency"], &currency); err != nil || len(currency) != 3 {
		return nil, malformed("currency", err)
	}
	if raw, ok := data["occurred_at"]; ok {
		if err := json.Unmarshal(raw, &r.OccurredAt); err != nil {
			return nil, malformed("occurred_at", err)
		}
		r.OccurredAt = r.OccurredAt.UTC().Truncate(time.Millisecond)
	}
	// A code that is no currency stays as it came: it differs from ours, and a
	// difference is for a person to look at.
	r.Currency = money.Currency(currency)
	if state == payments.ReportNothing {
		t, err := callbackRefund(data, *amount, r.OccurredAt)
		if err != nil {
			return nil, err
		}
		r.Transfers = []payments.Transfer{t}
		return r, nil
	}
	r.Amount = *amount
	if state == payments.ReportCaptured || state == payments.ReportReversed {
		r.Captured = *amount
	}
	return r, nil
}

// callbackRefund reads the refund that a callback is about.
func callbackRefund(data map[string]json.RawMessage, amount int64, at time.Time) (payments.Transfer, error) {
	var id, status string
	if err := json.Unmarshal(data["refund"], &id); err != nil || id == "" || len(id) > maxText {
		return payments.Transfer{}, malformed("refund", err)
	}
	if err := json.Unmarshal(data["refund_status"], &status); err != nil {
		return payments.Transfer{}, malformed("refund_status", err)
	}
	t, err := transferOf(Refund{ID: id, Amount: amount, Status: status, UpdatedAt: at})
	if err != nil {
		return payments.Transfer{}, malformed("refund_status", err)
	}
	return t, nil
}

func malformed(what string, err error) error {
	if err == nil {
		err = errors.New("missing or out of range")
	}
	return fmt.Errorf("%w: %s: %w", payments.ErrMalformed, what, err)
}

// members splits one JSON object, and nothing after it, into its members by
// exact name. A name that comes twice is an error: encoding/json would take the
// last one, somebody else the first, and the sender would have signed both.
func members(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	list := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("not a JSON object")
		}
		if _, twice := list[name]; twice {
			return nil, errors.New("a member comes twice")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("not a JSON object")
		}
		list[name] = value
	}
	if end, err := d.Token(); err != nil || end != json.Delim('}') {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return list, nil
}
