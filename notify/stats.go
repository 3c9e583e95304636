package notify

import (
	"errors"
	"sync/atomic"
)

// counters are what Stats reads.
type counters struct {
	lane      [laneCount]atomic.Int64
	ended     [reasons]atomic.Int64
	delivered atomic.Int64
	coldReads atomic.Int64
	polls     atomic.Int64
	unchanged atomic.Int64
	refused   [4]atomic.Int64
}

// limits name the counters in refused.
func limits() [4]string { return [...]string{"total", "feed", "address", "draining"} }

// Watchers is how many clients are on one lane now.
type Watchers struct {
	Transport string // sse, longpoll, websocket, firehose
	Path      string // parked, r3labs, handler
	Count     int64
}

// Stats is what the metrics page shows. Everything but Watchers, Feeds and
// CacheBytes only ever grows.
type Stats struct {
	Watchers   []Watchers
	Ended      map[string]int64 // by reason: gone, slow, closed, lifetime, revoked, key_closed, drain, …
	Refused    map[string]int64 // by limit
	Delivered  int64            // events that were handed to a client's transport
	Polls      int64            // short polls and status requests answered
	Unchanged  int64            // … of which with 304
	ColdReads  int64            // feeds that had to be read from the log
	Feeds      int              // feeds in memory
	CacheBytes int              // estimate of what their messages take
}

// Stats reads the counters. It is cheap enough for every scrape.
func (n *Notifier) Stats() Stats {
	s := Stats{
		Ended: make(map[string]int64), Refused: make(map[string]int64),
		Delivered: n.count.delivered.Load(), Polls: n.count.polls.Load(), Unchanged: n.count.unchanged.Load(), ColdReads: n.count.coldReads.Load(),
	}
	for lane := range laneCount {
		s.Watchers = append(s.Watchers, Watchers{lane.Transport(), lane.Path(), n.count.lane[lane].Load()})
	}
	for why := gone; why < reasons; why++ {
		s.Ended[why.String()] = n.count.ended[why].Load()
	}
	for i, name := range limits() {
		s.Refused[name] = n.count.refused[i].Load()
	}
	s.Feeds, s.CacheBytes = n.hub.count()
	return s
}

// refused counts err where it is a refusal, and returns it.
func (n *Notifier) refused(err error) error {
	if err == nil {
		return nil
	}
	var limit *LimitError
	if errors.As(err, &limit) {
		for i, name := range limits() {
			if name == limit.Limit {
				n.count.refused[i].Add(1)
			}
		}
	}
	return err
}
