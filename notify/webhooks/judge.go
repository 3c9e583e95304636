package webhooks

import (
	"net/http"
	"time"

	"tracker/notify/eventwire"
)

// verdict is what an attempt means for its delivery and its endpoint.
type verdict struct {
	Finished
	disabled  Endpoint // set by Health when this attempt disables the endpoint
	recovered bool     // the first success after a longer row of failures
}

const (
	recoveredAfter = time.Minute // of failures; a shorter row keeps its schedule
	successEvery   = time.Minute // how exact last_success_at is
)

func (s *Service) judge(r Record, d Delivery, a answer, start time.Time) *verdict {
	now := s.now()
	v := &verdict{}
	v.Delivery, v.State, v.Due = d, Pending, now
	v.Delivery.Tries++
	if d.FirstTry.IsZero() {
		v.Delivery.FirstTry = start
	}
	v.Attempt = Attempt{
		ID: eventwire.NewID(prefixAttempt, start), Endpoint: r.ID, EventID: d.EventID, EventType: d.EventType, Subject: d.Subject,
		Seq: d.Seq, Try: v.Delivery.Tries, At: start, Duration: a.took.Milliseconds(), Status: a.status, Error: a.problem, Excerpt: a.excerpt,
	}
	if a.ok() {
		s.succeeded(v, r, now)
	} else {
		s.failed(v, a, now)
	}
	v.Attempt.State = v.State
	return v
}

func (s *Service) succeeded(v *verdict, r Record, now time.Time) {
	v.State = Delivered
	v.recovered = r.FailingSince != nil && now.Sub(*r.FailingSince) >= recoveredAfter
	if r.Failures == 0 && r.LastSuccess != nil && now.Sub(*r.LastSuccess) < successEvery {
		return // the usual case writes no endpoint row, which all attempts share
	}
	v.Health = func(r *Record) {
		r.FailingSince, r.Failures, r.PausedUntil, r.LastSuccess = nil, 0, nil, &now
	}
}

func (s *Service) failed(v *verdict, a answer, now time.Time) {
	next, again := s.plan.next(v.Delivery.Tries, v.Delivery.FirstTry, now)
	if asked := now.Add(a.retryAfter); asked.After(next) && again {
		next = asked
	}
	if again {
		next = next.Truncate(time.Millisecond)
		v.Due, v.Attempt.Next = next, &next
	} else {
		v.State = GivenUp
	}
	v.Health = func(r *Record) { s.ail(v, r, a, now) }
}

// ail records a failure with the endpoint. It may run more than once, each time
// on the endpoint as it then is.
func (s *Service) ail(v *verdict, r *Record, a answer, now time.Time) {
	v.disabled = Endpoint{}
	r.Failures++
	if r.FailingSince == nil {
		r.FailingSince = &now
	}
	if busy := a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable; busy && a.retryAfter > 0 {
		until := now.Add(a.retryAfter)
		r.PausedUntil = &until
	}
	reason := ""
	switch {
	case r.Status == Disabled:
	case a.status == http.StatusGone:
		reason = "gone"
	case now.Sub(*r.FailingSince) >= s.o.DisableAfter:
		reason = "failing"
	}
	if reason != "" {
		r.disable(now, reason)
		r.decided(now)
		v.disabled = r.Endpoint
	}
}
