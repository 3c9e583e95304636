package sandboxbank

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"tracker/payments/money"
)

// Decision is what a customer, or a test, makes the bank do with a payment.
type Decision string

// The decisions, as they stand in the form of the bank's page.
const (
	Approve            Decision = "approve"
	Decline            Decision = "decline"
	Pend               Decision = "pend"                 // keep silent until another decision
	ApproveSilent      Decision = "approve_silent"       // never call back
	ApproveLate        Decision = "approve_late"         // after the session has expired
	ApproveTwice       Decision = "approve_twice"        // the same callback twice, and once under a new id
	ApproveReordered   Decision = "approve_reordered"    // an older "processing" after the success
	ApproveWrongAmount Decision = "approve_wrong_amount" // another sum than asked for
	ApproveThenReverse Decision = "approve_then_reverse" // and take it back a little later
	Unavailable        Decision = "unavailable"          // answer 503 for a while; decides nothing
)

// Decisions lists all of them in the order of the page.
func Decisions() []Decision {
	return []Decision{
		Approve, Decline, Pend, ApproveSilent, ApproveLate, ApproveTwice,
		ApproveReordered, ApproveWrongAmount, ApproveThenReverse, Unavailable,
	}
}

// Delays are the times that the bank takes. The zero value of each means its
// default; all work down to milliseconds.
type Delays struct {
	Late     time.Duration // from a session's end to its late approval; 1 s
	Reverse  time.Duration // from an approval to its reversal; 2 s
	Between  time.Duration // between two callbacks that belong together; 200 ms
	Outage   time.Duration // how long "unavailable" lasts; 20 s
	Refund   time.Duration // from a refund to its success; 0: at once
	RetryMin time.Duration // before the second attempt of a callback, then doubled; 1 s
	RetryMax time.Duration // the longest pause between attempts; 5 min
}

func (d Delays) withDefaults() Delays {
	set := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&d.Late, time.Second)
	set(&d.Reverse, 2*time.Second)
	set(&d.Between, 200*time.Millisecond)
	set(&d.Outage, 20*time.Second)
	set(&d.RetryMin, time.Second)
	set(&d.RetryMax, 5*time.Minute)
	return d
}

// say is one callback to come: what, when it happened, how long to wait.
type say struct {
	kind     string
	occurred time.Time
	after    time.Duration
	sameID   bool    // repeat the id of the say before it
	refund   *Refund // what it is about, where that is not the session
}

// decide applies a decision to a session and returns what to tell the shop.
// Deciding twice is the first decision without further effect, except that a
// pending session waits for another one.
func (s *session) decide(in DecideRequest, d Delays, now time.Time) ([]say, error) {
	if !slices.Contains(Decisions(), in.Decision) || in.Decision == Unavailable {
		return nil, &apiError{http.StatusUnprocessableEntity, "unknown_decision", "the bank has no such decision"}
	}
	if !s.undecided(now) {
		if s.Decision == string(in.Decision) {
			return nil, nil
		}
		return nil, conflict("already_decided", "the payment is "+s.statusAt(now))
	}
	if s.Status == StatusPending && in.Decision == Pend {
		return nil, nil
	}
	s.Decision, s.DecidedAt = string(in.Decision), now
	switch in.Decision {
	case Decline:
		s.enter(StatusDeclined, now)
		return []say{{kind: typeFailed, occurred: now}}, nil
	case Pend:
		s.enter(StatusPending, now)
		return nil, nil
	case ApproveLate:
		s.Due, s.DueTo = now.Add(d.Late), StatusCaptured
		if s.ExpiresAt.After(now) {
			s.Due = s.ExpiresAt.Add(d.Late)
		}
		return nil, nil
	case ApproveWrongAmount:
		s.Reported = wrong(s.Reported, in)
		s.Payee = cmp.Or(in.Payee, s.Payee)
	}
	return s.approved(in.Decision, d, now), nil
}

// approved makes the approval happen and tells the story of its decision.
func (s *session) approved(decision Decision, d Delays, now time.Time) []say {
	outcome := say{kind: s.approve(now), occurred: now}
	switch decision {
	case ApproveSilent:
		s.Silent = true
		return nil
	case ApproveTwice:
		again, renamed := outcome, outcome
		again.sameID, again.after = true, d.Between
		renamed.after = 2 * d.Between
		return []say{outcome, again, renamed}
	case ApproveReordered:
		return []say{outcome, {kind: typeProcessing, occurred: now.Add(-time.Second), after: d.Between}}
	case ApproveThenReverse:
		s.Due, s.DueTo = now.Add(d.Reverse), StatusReversed
	}
	return []say{outcome}
}

// wrong is the sum that the bank reports when it is to get it wrong.
func wrong(asked money.Amount, in DecideRequest) money.Amount {
	reported := asked
	switch {
	case in.Amount > 0:
		reported.Minor = in.Amount
	case in.Currency != "" || in.Payee != "": // the sum is right
	case asked.Minor > 1:
		reported.Minor /= 2
	default:
		reported.Minor++
	}
	if in.Currency != "" {
		reported.Currency = money.Currency(in.Currency)
	}
	return reported
}

// elapse does what is due by now. A late approval happens whatever the session
// has become in the meantime, as long as no money moved.
func (s *session) elapse(now time.Time) []say {
	to := s.DueTo
	s.Due, s.DueTo = time.Time{}, ""
	switch to {
	case StatusCaptured:
		return []say{{kind: s.approve(now), occurred: now}}
	case StatusReversed:
		if s.Status != StatusCaptured && s.Status != StatusPartiallyCaptured && s.Status != StatusAuthorized {
			return nil
		}
		s.enter(StatusReversed, now)
		return []say{{kind: typeReversed, occurred: now}}
	}
	return nil
}
