package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tracker/notify/eventwire"
)

// paymentMessage is what an order reads of data.payment.
type paymentMessage struct {
	ID            string     `json:"id"`
	OrderID       string     `json:"order_id"`
	Status        string     `json:"status"`
	Amount        int64      `json:"amount"`
	Currency      string     `json:"currency"`
	Captured      int64      `json:"captured"`
	Refunded      int64      `json:"refunded"`
	RefundPending int64      `json:"refund_pending"`
	NextCheckAt   *time.Time `json:"next_check_at"`
}

// OnPayment takes a payment event into its order. It may be called with the
// same event again, with old ones and out of order: the payment's sequence
// decides. An error means that the event was not taken and must come again. An
// event about an order that is not there is logged and let go.
func (s *Service) OnPayment(ctx context.Context, e eventwire.Event) error {
	if e.Kind != eventwire.Payments {
		return fmt.Errorf("orders: %s is not a payment event", e.ID)
	}
	var m paymentMessage
	if err := json.Unmarshal(e.Resource, &m); err != nil {
		return fmt.Errorf("orders: event %s: %w", e.ID, err)
	}
	if m.ID != e.Subject || m.Status == "" {
		return fmt.Errorf("orders: event %s does not describe payment %s", e.ID, e.Subject)
	}
	_, err := s.change(ctx, e.Merchant, m.OrderID, 0, func(o Order) (Change, error) {
		return notePayment(o, projection(m, e), e.Transition.TheirTime, e.ID, s.now())
	})
	if errors.Is(err, ErrNotFound) {
		s.log.WarnContext(ctx, "a payment of an order that is not there",
			"event", e.ID, "payment", e.Subject, "merchant", e.Merchant)
		return nil
	}
	return err
}

// projection is what an order keeps of a payment event. The timeline tells
// whether the money counts even where events in between were never seen.
func projection(m paymentMessage, e eventwire.Event) Payment {
	p := Payment{
		ID: m.ID, Status: m.Status, Amount: m.Amount, Currency: m.Currency, Captured: m.Captured,
		Refunded: m.Refunded, RefundPending: m.RefundPending, UpdatedAt: e.Time, NextCheckAt: m.NextCheckAt,
		Sequence: e.Seq,
	}
	late := false
	for _, t := range past(e) {
		switch t.Type {
		case "payment." + stateLateSuccess:
			late = true
		case "payment." + stateCaptured, "payment." + statePartiallyCaptured:
			p.Counts, p.Accepted = true, late
		case "payment." + stateReversed:
			p.Reversed = true
		}
	}
	return p
}

func past(e eventwire.Event) []eventwire.Transition {
	if len(e.Timeline) == 0 {
		return []eventwire.Transition{e.Transition}
	}
	return e.Timeline
}

// Newest is the newest event of an order, read from the database: the answer for
// a feed that the stream no longer holds. Errors: ErrNotFound.
func (s *Service) Newest(ctx context.Context, merchant, id string) (eventwire.Event, error) {
	o, err := s.Get(ctx, merchant, id)
	if err != nil {
		return eventwire.Event{}, err
	}
	return o.Event()
}

// EachNewest calls fn with the newest event of every order of every merchant, in
// the order of their ids: what a stream is rebuilt from. It ends with the first
// error.
func (s *Service) EachNewest(ctx context.Context, fn func(eventwire.Event) error) error {
	const page = 200
	for after := ""; ; {
		list, err := s.store.All(ctx, after, page)
		if err != nil {
			return err
		}
		for _, o := range list {
			event, err := o.Event()
			if err != nil {
				return err
			}
			if err := fn(event); err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
		after = list[len(list)-1].ID
	}
}
