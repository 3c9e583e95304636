package sandboxbank

import (
	"cmp"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"
)

// operation is one call of the API: read in full first, so that faults can be
// told by what it is about, and only then done.
type operation struct {
	name     string
	subjects []string
	do       func() (status int, answer any, err error)
}

func (b *Bank) routes() (http.Handler, error) {
	pages, err := b.pages()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("POST /sessions", b.faulty(b.createOperation))
	mux.Handle("GET /sessions/{id}", b.faulty(b.statusOperation))
	mux.Handle("POST /sessions/{id}/capture", b.faulty(b.captureOperation))
	mux.Handle("POST /sessions/{id}/void", b.faulty(b.endOperation("void", (*session).void)))
	mux.Handle("POST /sessions/{id}/cancel", b.faulty(b.endOperation("cancel", (*session).cancel)))
	mux.Handle("POST /sessions/{id}/refunds", b.faulty(b.refundOperation))
	mux.Handle("GET /sessions/{id}/refunds", b.faulty(b.refundsOperation))
	// What steers the bank must work while the bank is made to fail.
	mux.Handle("POST /sessions/{id}/decide", b.plain(b.decideOperation))
	mux.Handle("POST /sessions/{id}/bank_refunds", b.plain(b.bankRefundOperation))
	mux.Handle("POST /faults", b.plain(b.addFaultOperation))
	mux.Handle("GET /faults", b.plain(func(*http.Request) (operation, error) { return b.faultsOperation(), nil }))
	mux.Handle("DELETE /faults", b.plain(func(*http.Request) (operation, error) {
		return operation{do: func() (int, any, error) {
			b.faults.clear()
			return http.StatusOK, b.faultList(), nil
		}}, nil
	}))
	return mux, nil
}

func (b *Bank) createOperation(r *http.Request) (operation, error) {
	var in SessionRequest
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	if err := in.check(); err != nil {
		return operation{}, err
	}
	in.ExpiresAt = in.ExpiresAt.UTC()
	return operation{"create", []string{in.Payment, in.OrderReference}, func() (int, any, error) {
		s, created, err := b.open(in)
		if err != nil {
			return 0, nil, err
		}
		status := http.StatusOK
		if created {
			status = http.StatusCreated
		}
		return status, s.view(b.origin(r), b.clock()), nil
	}}, nil
}

func (b *Bank) statusOperation(r *http.Request) (operation, error) {
	return b.about("status", r, func(id string) (any, error) {
		s, err := b.find(id)
		if err != nil {
			return nil, err
		}
		return s.view(b.origin(r), b.clock()), nil
	})
}

func (b *Bank) captureOperation(r *http.Request) (operation, error) {
	var in CaptureRequest
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return operation{}, err
	}
	return b.changing("capture", r, func(s *session, now time.Time) error { return s.capture(key, in.Amount, now) })
}

func (b *Bank) endOperation(name string, end func(*session, time.Time) error) func(*http.Request) (operation, error) {
	return func(r *http.Request) (operation, error) {
		if err := decode(r, &struct{}{}); err != nil {
			return operation{}, err
		}
		return b.changing(name, r, end)
	}
}

// changing is the operation that changes a session and answers it. The shop is
// not called about what it asked for itself.
func (b *Bank) changing(name string, r *http.Request, fn func(*session, time.Time) error) (operation, error) {
	return b.about(name, r, func(id string) (any, error) {
		s, err := b.change(id, func(s *session, now time.Time) ([]say, error) { return nil, fn(s, now) })
		if err != nil {
			return nil, err
		}
		return s.view(b.origin(r), b.clock()), nil
	})
}

func (b *Bank) refundOperation(r *http.Request) (operation, error) {
	var in RefundRequest
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return operation{}, err
	}
	return b.about("refund", r, func(id string) (any, error) {
		var made Refund
		_, err := b.change(id, func(s *session, now time.Time) (_ []say, err error) {
			r := Refund{ID: newID("rfd_"), Key: key, Reference: in.Reference, Amount: in.Amount, Status: RefundSucceeded}
			b.bend(&r, s, now)
			made, err = s.refund(r, now)
			return nil, err
		})
		return made, err
	})
}

// bankRefundOperation is a refund that somebody at the bank makes: the shop has
// not asked for it and is called about it. Without a key each call is another one.
func (b *Bank) bankRefundOperation(r *http.Request) (operation, error) {
	var in BankRefundRequest
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	key := cmp.Or(r.Header.Get(keyHeader), newID("key_"))
	if len(key) > maxKey {
		return operation{}, invalid("the header " + keyHeader + " is too long")
	}
	return b.about("bank_refund", r, func(id string) (any, error) {
		var made Refund
		_, err := b.change(id, func(s *session, now time.Time) (_ []say, err error) {
			before := len(s.Refunds)
			fresh := Refund{ID: newID("rfd_"), Key: "bank/" + key, Amount: in.Amount, Status: RefundSucceeded}
			b.bend(&fresh, s, now)
			if made, err = s.refund(fresh, now); err != nil || len(s.Refunds) == before {
				return nil, err
			}
			return []say{{kind: typeRefunded, occurred: now, refund: &made}}, nil
		})
		return made, err
	})
}

// bend makes a refund slow or fail, by the bank's delays and its faults.
func (b *Bank) bend(r *Refund, s *session, now time.Time) {
	if wait := b.opts.Delays.Refund; wait > 0 {
		r.Status, r.SettlesAt = RefundPending, now.Add(wait)
	}
	bent := b.faults.take(refundFaults(), now, "refund", s.ID, s.Payment, s.OrderReference)
	if hold, ok := has(bent, FaultHoldRefunds); ok {
		r.Status, r.SettlesAt = RefundPending, time.Time{}
		if hold.delay > 0 {
			r.SettlesAt = now.Add(hold.delay)
		}
	}
	if _, ok := has(bent, FaultFailRefunds); ok {
		r.Status, r.Code, r.SettlesAt = RefundFailed, "account_closed", time.Time{}
	}
}

// refundList is the answer of GET /sessions/{id}/refunds.
type refundList struct {
	Data []Refund `json:"data"`
}

func (b *Bank) refundsOperation(r *http.Request) (operation, error) {
	return b.about("refunds", r, func(id string) (any, error) {
		s, err := b.find(id)
		if err != nil {
			return nil, err
		}
		return refundList{Data: s.refundsAt(b.clock())}, nil
	})
}

func (b *Bank) decideOperation(r *http.Request) (operation, error) {
	var in DecideRequest
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	if in.Amount < 0 || (in.Currency != "" && len(in.Currency) != 3) || utf8.RuneCountInString(in.Payee) > maxText {
		return operation{}, invalid("amount, currency or payee does not fit")
	}
	return operation{do: func() (int, any, error) {
		s, err := b.decide(r.PathValue("id"), in)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, s.view(b.origin(r), b.clock()), nil
	}}, nil
}

// decide applies a decision of the page or of the API.
func (b *Bank) decide(id string, in DecideRequest) (*session, error) {
	if in.Decision == Unavailable {
		s, err := b.find(id)
		if err != nil {
			return nil, err
		}
		outage := b.opts.Delays.Outage.String()
		return s, b.faults.add(Fault{Kind: FaultUnavailable, For: outage}, b.clock())
	}
	return b.change(id, func(s *session, now time.Time) ([]say, error) {
		return s.decide(in, b.opts.Delays, now)
	})
}

// faultList is the answer of everything under /faults.
type faultList struct {
	Data []Fault `json:"data"`
}

func (b *Bank) faultList() faultList { return faultList{Data: b.faults.all(b.clock())} }

func (b *Bank) faultsOperation() operation {
	return operation{do: func() (int, any, error) { return http.StatusOK, b.faultList(), nil }}
}

func (b *Bank) addFaultOperation(r *http.Request) (operation, error) {
	var in Fault
	if err := decode(r, &in); err != nil {
		return operation{}, err
	}
	return operation{do: func() (int, any, error) {
		if err := b.faults.add(in, b.clock()); err != nil {
			return 0, nil, err
		}
		return http.StatusCreated, b.faultList(), nil
	}}, nil
}

// about is an operation on the session that the path names.
func (b *Bank) about(name string, r *http.Request, do func(id string) (any, error)) (operation, error) {
	id := r.PathValue("id")
	op := operation{name: name, subjects: []string{id}, do: func() (int, any, error) {
		answer, err := do(id)
		return http.StatusOK, answer, err
	}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.book.sessions[id]; ok {
		op.subjects = append(op.subjects, s.Payment, s.OrderReference)
	}
	return op, nil
}

// origin is where customers reach the bank.
func (b *Bank) origin(r *http.Request) string {
	if b.opts.PublicURL != "" {
		return b.opts.PublicURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
