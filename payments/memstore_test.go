package payments_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"tracker/notify/eventwire"
	"tracker/payments"
)

// memStore is the store's promise in its shortest form: one lock. It serves the
// tests that need many runs, and is run through every scenario like the others.
type memStore struct {
	mu     sync.Mutex
	orders map[string]*payments.Ledger
	where  map[string]string // the order of a payment
	inbox  map[[2]string]*payments.Inbound
	leases map[string]time.Time
	pace   map[string]payments.Pace
	events map[string][]eventwire.Event
}

var _ payments.Store = (*memStore)(nil)

func newMemStore() *memStore {
	return &memStore{
		orders: map[string]*payments.Ledger{}, where: map[string]string{}, inbox: map[[2]string]*payments.Inbound{},
		leases: map[string]time.Time{}, pace: map[string]payments.Pace{}, events: map[string][]eventwire.Event{},
	}
}

func copyPayment(p *payments.Payment) *payments.Payment {
	c := *p
	c.Intents, c.Refunds, c.Timeline = slices.Clone(p.Intents), slices.Clone(p.Refunds), slices.Clone(p.Timeline)
	if p.Reported != nil {
		reported := *p.Reported
		c.Reported = &reported
	}
	return &c
}

func (m *memStore) load(merchant, order string) (*payments.Ledger, error) {
	kept, ok := m.orders[order]
	if !ok {
		return &payments.Ledger{Merchant: merchant, Order: order}, nil
	}
	if kept.Merchant != merchant {
		return nil, payments.ErrNotFound
	}
	l := &payments.Ledger{
		Merchant: merchant, Order: order, Version: kept.Version, Winner: kept.Winner, Round: kept.Round, Closed: kept.Closed,
	}
	for _, p := range kept.Payments {
		l.Payments = append(l.Payments, copyPayment(p))
	}
	for _, in := range m.inbox {
		if in.State == payments.InboxParked && slices.ContainsFunc(l.Payments, func(p *payments.Payment) bool {
			return p.ID == in.Payment || in.Payment == "" && p.Reference == in.Reference
		}) {
			waiting := *in
			l.Parked = append(l.Parked, &waiting)
		}
	}
	slices.SortFunc(l.Parked, func(a, b *payments.Inbound) int {
		return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.EventID, b.EventID))
	})
	return l, nil
}

func (m *memStore) save(l *payments.Ledger) error {
	events, err := l.Events()
	if err != nil {
		return err
	}
	for _, e := range events {
		m.events[e.Subject] = append(m.events[e.Subject], e)
	}
	for _, in := range l.Parked {
		m.inbox[[2]string{in.Provider, in.EventID}] = in
	}
	kept := &payments.Ledger{
		Merchant: l.Merchant, Order: l.Order, Version: l.Version + 1, Winner: l.Winner, Round: l.Round, Closed: l.Closed,
	}
	for _, p := range l.Payments {
		kept.Payments = append(kept.Payments, copyPayment(p))
		delete(m.leases, p.ID)
		m.where[p.ID] = l.Order
	}
	m.orders[l.Order] = kept
	return nil
}

func (m *memStore) Update(_ context.Context, merchant, order string, fn func(*payments.Ledger) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.load(merchant, order)
	if err == nil {
		err = fn(l)
	}
	if err != nil {
		return err
	}
	return m.save(l)
}

func (m *memStore) Receive(_ context.Context, in payments.Inbound, fn func(*payments.Ledger, *payments.Inbound) error) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{in.Provider, in.EventID}
	if m.inbox[key] != nil {
		return false, nil
	}
	var l *payments.Ledger
	for _, p := range m.all() {
		if p.ID == in.Payment || in.Payment == "" && p.Reference == in.Reference {
			l, _ = m.load(p.Merchant, p.OrderID)
		}
	}
	if err := fn(l, &in); err != nil {
		return false, err
	}
	if l != nil {
		if err := m.save(l); err != nil {
			return false, err
		}
	}
	m.inbox[key] = &in
	return true, nil
}

// all lists every payment by id.
func (m *memStore) all() []*payments.Payment {
	var list []*payments.Payment
	for _, l := range m.orders {
		list = append(list, l.Payments...)
	}
	slices.SortFunc(list, func(a, b *payments.Payment) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (m *memStore) one(fits func(*payments.Payment) bool) (payments.Payment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.orders {
		for _, p := range l.Payments {
			if fits(p) {
				return *copyPayment(p), nil
			}
		}
	}
	return payments.Payment{}, payments.ErrNotFound
}

func (m *memStore) Payment(_ context.Context, merchant, id string) (payments.Payment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.orders[m.where[id]]; l != nil && l.Merchant == merchant {
		return *copyPayment(l.Payment(id)), nil
	}
	return payments.Payment{}, payments.ErrNotFound
}

func (m *memStore) PaymentByKey(_ context.Context, merchant, key string) (payments.Payment, error) {
	return m.one(func(p *payments.Payment) bool { return p.Merchant == merchant && p.Key == key && key != "" })
}

func (m *memStore) Refund(_ context.Context, merchant, id string) (payments.Refund, error) {
	p, err := m.one(func(p *payments.Payment) bool { return p.Merchant == merchant && p.Refund(id) != nil })
	if err != nil {
		return payments.Refund{}, err
	}
	return *p.Refund(id), nil
}

func (m *memStore) List(_ context.Context, merchant string, f payments.Filter) (payments.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page payments.Page
	for _, p := range slices.Backward(m.all()) {
		if p.Merchant != merchant || f.StartingAfter != "" && p.ID >= f.StartingAfter ||
			f.Status != "" && p.Status != f.Status || f.OrderID != "" && p.OrderID != f.OrderID ||
			f.Reference != "" && p.Reference != f.Reference {
			continue
		}
		if len(page.Payments) == f.Limit {
			page.HasMore = true
			break
		}
		page.Payments = append(page.Payments, *copyPayment(p))
	}
	return page, nil
}

func (m *memStore) After(_ context.Context, id string, limit int) ([]payments.Payment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []payments.Payment
	for _, p := range m.all() {
		if p.ID > id && len(list) < limit {
			list = append(list, *copyPayment(p))
		}
	}
	return list, nil
}

func (m *memStore) Counts(_ context.Context, overdue time.Time, budget int) (payments.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var c payments.Counts
	for _, p := range m.all() {
		if p.Closed() {
			continue
		}
		c.Open++
		c.Checks += int64(p.Checks)
		c.Overdue += count(p.NextCheckAt.Before(overdue))
		c.BudgetUsed += count(p.Checks >= budget)
		c.Unknown += count(p.Status == payments.StatusUnknown)
		c.Review += count(p.Status == payments.StatusReview)
	}
	for _, in := range m.inbox {
		c.Parked += count(in.State == payments.InboxParked)
		c.UnknownTypes += count(in.State == payments.InboxUnknownType)
	}
	return c, nil
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (m *memStore) Claim(_ context.Context, in payments.Claim) ([]payments.Claimed, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pace := m.pace[in.Provider]
	limit, again := pace.Allow(in.Now, in.Limit, in.Rate)
	if pace.Silent(in.Now) {
		m.putOff(in.Provider, pace.Quiet)
	}
	var list []payments.Claimed
	for _, p := range m.all() {
		due := !p.NextCheckAt.IsZero() && !p.NextCheckAt.After(in.Now) && !m.leases[p.ID].After(in.Now)
		if due && p.Provider == in.Provider && len(list) < limit {
			m.leases[p.ID] = in.Until
			list = append(list, payments.Claimed{Merchant: p.Merchant, Order: p.OrderID, Payment: p.ID})
		}
	}
	if limit > 0 && len(list) < limit {
		again = time.Time{}
	}
	m.pace[in.Provider] = pace.Spend(in.Now, len(list), in.Rate)
	return list, again, nil
}

func (m *memStore) Postpone(_ context.Context, provider string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	pace := m.pace[provider]
	if until.After(pace.Quiet) {
		pace.Quiet = until
		m.pace[provider] = pace
	}
	m.putOff(provider, until)
	return nil
}

func (m *memStore) putOff(provider string, until time.Time) {
	for _, p := range m.all() {
		if p.Provider == provider && !p.NextCheckAt.IsZero() && p.NextCheckAt.Before(until) {
			p.NextCheckAt = until
		}
	}
}

func (m *memStore) NextDue(_ context.Context, provider string) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next time.Time
	for _, p := range m.all() {
		at := p.NextCheckAt
		if at.IsZero() || p.Provider != provider {
			continue
		}
		if lease := m.leases[p.ID]; lease.After(at) {
			at = lease
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, !next.IsZero(), nil
}

func (m *memStore) announced(id string) []eventwire.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events[id])
}
