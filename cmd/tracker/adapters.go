package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
	"tracker/notify/txoutbox"
	"tracker/orders"
	"tracker/payments"
	"tracker/payments/money"
)

// What the parts of the house need of each other, said in each other's words.
// Each adapter lets two packages work together that must not know each other.

// publisher lets the relay publish on the bus.
type publisher struct{ bus *natsbus.Bus }

// Publish implements [txoutbox.Publisher].
func (s publisher) Publish(ctx context.Context, messages []txoutbox.Message) error {
	list := make([]natsbus.Message, len(messages))
	for i, m := range messages {
		list[i] = natsbus.Message(m)
	}
	return s.bus.Publish(ctx, list)
}

// askPayable is where orders answers what is due on an order.
const askPayable = "ask.orders.payable"

// payableAnswer is the reply on askPayable. Error is set when orders could not
// tell, which is never "no such order"; Away, when that is because it does not
// reach its database.
type payableAnswer struct {
	Found bool       `json:"found"`
	Due   orders.Due `json:"due"`
	Error string     `json:"error,omitempty"`
	Away  bool       `json:"away,omitempty"`
}

// awayError is what another process does not reach, as web asks for it.
type awayError struct{ text string }

func (e awayError) Error() string   { return e.text }
func (awayError) Unavailable() bool { return true }

// isAway reports that err comes from something that does not answer.
func isAway(err error) bool {
	var gone interface{ Unavailable() bool }
	return errors.As(err, &gone) && gone.Unavailable() || errors.Is(err, context.DeadlineExceeded)
}

// answerPayable is the side of orders.
func answerPayable(service *orders.Service) func(context.Context, []byte) ([]byte, error) {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		var ask eventwire.Ask
		if err := json.Unmarshal(request, &ask); err != nil {
			return nil, err
		}
		due, err := service.Payable(ctx, ask.Merchant, ask.ID)
		switch {
		case errors.Is(err, orders.ErrNotFound):
			return json.Marshal(payableAnswer{})
		case err != nil:
			return json.Marshal(payableAnswer{Error: err.Error(), Away: isAway(err)})
		}
		return json.Marshal(payableAnswer{Found: true, Due: due})
	}
}

// orderBook is the side of payments.
type orderBook struct{ bus *natsbus.Bus }

// Payable implements [payments.OrderBook].
func (b orderBook) Payable(ctx context.Context, merchant, order string) (payments.Due, error) {
	request, err := json.Marshal(eventwire.Ask{Merchant: merchant, ID: order})
	if err != nil {
		return payments.Due{}, err
	}
	reply, err := b.bus.Request(ctx, askPayable, request)
	if err != nil {
		return payments.Due{}, fmt.Errorf("ask orders what is due on %s: %w", order, err)
	}
	var answer payableAnswer
	if err := json.Unmarshal(reply, &answer); err != nil {
		return payments.Due{}, fmt.Errorf("ask orders what is due on %s: %w", order, err)
	}
	if answer.Error != "" {
		failed := errors.New(answer.Error)
		if answer.Away {
			failed = awayError{answer.Error}
		}
		return payments.Due{}, fmt.Errorf("ask orders what is due on %s: %w", order, failed)
	}
	if !answer.Found {
		return payments.Due{}, payments.ErrNotFound
	}
	currency, err := money.ParseCurrency(answer.Due.Currency)
	if err != nil {
		return payments.Due{}, fmt.Errorf("ask orders what is due on %s: %w", order, err)
	}
	return payments.Due{
		Amount: money.Amount{Minor: answer.Due.Amount, Currency: currency}, Open: answer.Due.Open,
		Reference: answer.Due.Reference, PayBy: answer.Due.PayBy, Status: string(answer.Due.Status), Sequence: answer.Due.Sequence,
	}, nil
}

// newest is what a domain tells about one of its resources.
type newest func(ctx context.Context, merchant, id string) (eventwire.Event, error)

// answerNewest answers for feeds that the stream no longer holds.
func answerNewest(find newest, notFound error) func(context.Context, []byte) ([]byte, error) {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		var ask eventwire.Ask
		if err := json.Unmarshal(request, &ask); err != nil {
			return nil, err
		}
		e, err := find(ctx, ask.Merchant, ask.ID)
		if errors.Is(err, notFound) {
			return json.Marshal(eventwire.Answer{})
		}
		if err != nil {
			return json.Marshal(eventwire.Answer{Error: err.Error()})
		}
		message, err := e.Encode()
		if err != nil {
			return nil, err
		}
		return json.Marshal(eventwire.Answer{Found: true, Message: message})
	}
}

// feedLog is the stream as the feed needs it: what the stream no longer holds is
// asked of its owner.
type feedLog struct{ *natsbus.Bus }

// Last implements [notify.Log].
func (l feedLog) Last(ctx context.Context, key eventwire.Key) (eventwire.Event, bool, error) {
	e, found, err := l.Bus.Last(ctx, key)
	if found || err != nil {
		return e, found, err
	}
	request, err := json.Marshal(eventwire.Ask{Merchant: key.Merchant, ID: key.ID})
	if err != nil {
		return eventwire.Event{}, false, err
	}
	reply, err := l.Request(ctx, eventwire.AskSubject(key.Kind), request)
	if err != nil {
		return eventwire.Event{}, false, fmt.Errorf("ask for the newest of %s: %w", key.ID, err)
	}
	var answer eventwire.Answer
	if err := json.Unmarshal(reply, &answer); err != nil {
		return eventwire.Event{}, false, fmt.Errorf("ask for the newest of %s: %w", key.ID, err)
	}
	if answer.Error != "" {
		return eventwire.Event{}, false, fmt.Errorf("ask for the newest of %s: %s", key.ID, answer.Error)
	}
	if !answer.Found {
		return eventwire.Event{}, false, nil
	}
	e, err = eventwire.Decode(answer.Message)
	return e, err == nil, err
}
