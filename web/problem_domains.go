package web

import (
	"errors"

	"tracker/notify/webhooks"
	"tracker/orders"
	"tracker/payments"
	"tracker/web/apikeys"
)

func problemOfOrders(err error) *problem {
	var invalid *orders.InvalidError
	var conflict *orders.ConflictError
	switch {
	case errors.Is(err, orders.ErrNotFound):
		return newProblem("not_found", "")
	case errors.As(err, &invalid):
		return invalidFields(invalid.Fields)
	case errors.As(err, &conflict):
		p := newProblem(conflict.Code, conflict.Detail)
		p.Current = current(conflict.Status, conflict.Sequence, nil)
		return p
	}
	return nil
}

// currentState is what a conflict says of the resource.
type currentState struct {
	Status   string            `json:"status"`
	Sequence int64             `json:"sequence,omitempty"` // 0: not known to who refused
	Payment  *payments.Summary `json:"payment,omitempty"`
}

// currentVersion is what a conflict says of what has a version and no sequence.
type currentVersion struct {
	Status  string `json:"status,omitempty"`
	Version int64  `json:"version,omitempty"`
}

// current is nothing where the conflict is not about the state of one resource.
func current(status string, sequence int64, payment *payments.Payment) any {
	if status == "" && payment == nil {
		return nil
	}
	state := currentState{Status: status, Sequence: sequence}
	if payment != nil {
		summary := payment.Summary()
		state.Payment = &summary
	}
	return state
}

func problemOfPayments(err error) *problem {
	var invalid *payments.InvalidError
	var conflict *payments.ConflictError
	switch {
	case errors.Is(err, payments.ErrNotFound):
		return newProblem("not_found", "")
	case errors.As(err, &invalid):
		return invalidFields(invalid.Fields)
	case errors.As(err, &conflict):
		p := newProblem(conflict.Code, conflict.Detail)
		p.Current = current(conflict.Status, conflict.Sequence, conflict.Payment)
		return p
	}
	return nil
}

func problemOfWebhooks(err error) *problem {
	var invalid *webhooks.InvalidError
	var conflict *webhooks.ConflictError
	switch {
	case errors.Is(err, webhooks.ErrNotFound):
		return newProblem("not_found", "")
	case errors.As(err, &invalid):
		return invalidFields(invalid.Fields)
	case errors.As(err, &conflict):
		p := newProblem(conflict.Code, conflict.Detail)
		if conflict.Status != "" {
			p.Current = currentVersion{Status: conflict.Status, Version: conflict.Version}
		}
		return p
	}
	return nil
}

// invalidFields tells which members of a body do not fit. Every domain has its own
// name for the same three words.
func invalidFields[F orders.FieldError | payments.FieldError | webhooks.FieldError | apikeys.FieldError](list []F) *problem {
	p := newProblem("invalid_request", "")
	for _, f := range list {
		field := payments.FieldError(f)
		p.Errors = append(p.Errors, fieldProblem{Pointer: field.Pointer, Code: field.Code, Detail: field.Detail})
	}
	return p
}
