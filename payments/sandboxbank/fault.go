package sandboxbank

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault makes the bank misbehave on purpose: the body of POST /faults. It ends
// after For (a duration such as "2s") or after Count uses, whichever is first;
// with neither it stays until DELETE /faults. Faults do not survive a restart.
type Fault struct {
	Kind  string `json:"kind"`
	For   string `json:"for,omitempty"`
	Count int    `json:"count,omitempty"`
	// Match limits the fault: words that must all be the name of the call
	// (create, status, capture, void, cancel, refund, refunds, callback), or
	// the session, payment or order reference that it is about.
	Match string `json:"match,omitempty"`
	// Delay is the time of the kinds that have one: how long an answer or a
	// callback is held back, or the Retry-After of an outage.
	Delay string `json:"delay,omitempty"`
}

// The kinds of faults of the API.
const (
	FaultDelay       = "delay"       // answer after Delay
	FaultUnavailable = "unavailable" // 503, with Retry-After where Delay is set
	FaultTimeout     = "timeout"     // do nothing and never answer
	FaultLostAnswer  = "lost_answer" // do it and never answer
	FaultHalfAnswer  = "half_answer" // do it, send half of the answer, hang up
	FaultHTML        = "html"        // do it and answer a web page with 200
	FaultEmpty       = "empty"       // do it and answer nothing with 200
	FaultHuge        = "huge"        // do it and answer without end
	FaultSlow        = "slow"        // do it and answer one byte at a time
)

// The kinds of faults of callbacks and refunds.
const (
	FaultDropCallbacks  = "drop_callbacks"
	FaultDelayCallbacks = "delay_callbacks" // by Delay
	FaultDuplicate      = "duplicate"       // each callback twice
	FaultReorder        = "reorder"         // an older "processing" after each callback
	FaultForge          = "forge"           // signed with a secret that nobody knows
	FaultStale          = "stale"           // signed ten minutes ago
	FaultHoldRefunds    = "hold_refunds"    // refunds stay pending
	FaultFailRefunds    = "fail_refunds"    // refunds fail
)

func apiFaults() []string {
	return []string{FaultDelay, FaultUnavailable, FaultTimeout, FaultLostAnswer, FaultHalfAnswer, FaultHTML, FaultEmpty, FaultHuge, FaultSlow}
}

func callbackFaults() []string {
	return []string{FaultDropCallbacks, FaultDelayCallbacks, FaultDuplicate, FaultReorder, FaultForge, FaultStale}
}

func refundFaults() []string { return []string{FaultHoldRefunds, FaultFailRefunds} }

const maxFaults = 100

// faults is the set of live faults. Safe for concurrent use.
type faults struct {
	mu   sync.Mutex
	list []liveFault
}

type liveFault struct {
	Fault
	until time.Time // zero: no end in time
	left  int       // -1: no end in uses
	delay time.Duration
}

func (f *faults) add(in Fault, now time.Time) error {
	refuse := func(message string) error {
		return &apiError{http.StatusUnprocessableEntity, "invalid_fault", message}
	}
	known := slices.Concat(apiFaults(), callbackFaults(), refundFaults())
	if !slices.Contains(known, in.Kind) {
		return refuse("kind is one of " + strings.Join(known, ", "))
	}
	live := liveFault{Fault: in, left: -1}
	if in.Delay != "" {
		d, err := time.ParseDuration(in.Delay)
		if err != nil || d < 0 {
			return refuse("delay is a duration such as 250ms")
		}
		live.delay = d
	}
	if in.For != "" {
		d, err := time.ParseDuration(in.For)
		if err != nil || d <= 0 {
			return refuse("for is a duration such as 2s")
		}
		live.until = now.Add(d)
	}
	if in.Count < 0 {
		return refuse("count is a number of uses")
	}
	if in.Count > 0 {
		live.left = in.Count
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	if len(f.list) >= maxFaults {
		return refuse("too many faults at once")
	}
	f.list = append(f.list, live)
	return nil
}

// take returns the live faults of these kinds about any of the subjects, and
// counts them as used.
func (f *faults) take(kinds []string, now time.Time, subjects ...string) []liveFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	var hit []liveFault
	for i := range f.list {
		one := &f.list[i]
		if !slices.Contains(kinds, one.Kind) || !matches(one.Match, subjects) {
			continue
		}
		hit = append(hit, *one)
		if one.left > 0 {
			one.left--
		}
	}
	return hit
}

func (f *faults) expire(now time.Time) {
	f.list = slices.DeleteFunc(f.list, func(one liveFault) bool {
		return one.left == 0 || (!one.until.IsZero() && !now.Before(one.until))
	})
}

func (f *faults) all(now time.Time) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	list := make([]Fault, len(f.list))
	for i, one := range f.list {
		list[i] = one.Fault
		list[i].Count = max(one.left, 0)
	}
	return list
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

func matches(match string, subjects []string) bool {
	for word := range strings.FieldsSeq(match) {
		if !slices.Contains(subjects, word) {
			return false
		}
	}
	return true
}

func has(list []liveFault, kind string) (liveFault, bool) {
	i := slices.IndexFunc(list, func(one liveFault) bool { return one.Kind == kind })
	if i < 0 {
		return liveFault{}, false
	}
	return list[i], true
}
