package notify

import (
	"hash/maphash"
	"strings"
	"sync"
	"unique"

	"tracker/notify/eventwire"
)

const shards = 64

// hub knows every feed that somebody watches or that was asked for lately.
// The lock of a shard is held for a map access, never while something is sent.
type hub struct {
	seed   maphash.Seed
	budget int // bytes of newest messages that one shard keeps
	shard  [shards]shard
}

type shard struct {
	mu     sync.Mutex
	topics map[eventwire.Key]*topic
	hot    ring // topics whose newest message is in memory
	bytes  int
}

// ring is a list of topics with the one looked at next by the evicting hand.
// Second chance instead of strict recency: a read sets one flag and moves nothing.
type ring struct{ hand *topic }

func newHub(cacheBytes int) *hub {
	h := &hub{seed: maphash.MakeSeed(), budget: max(1, cacheBytes/shards)}
	for i := range h.shard {
		h.shard[i].topics = make(map[eventwire.Key]*topic)
	}
	return h
}

func (h *hub) of(key eventwire.Key) *shard {
	return &h.shard[maphash.Comparable(h.seed, key)%shards]
}

// peek returns the newest message of a feed if it is in memory.
func (h *hub) peek(key eventwire.Key) *snapshot {
	t := h.lookup(key)
	if t == nil {
		return nil
	}
	s := t.snap.Load()
	if s != nil && !t.used.Load() {
		t.used.Store(true)
	}
	return s
}

// lookup returns the topic of a feed that somebody is interested in, or nil.
func (h *hub) lookup(key eventwire.Key) *topic {
	s := h.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics[key]
}

// acquire returns the topic of key and keeps it in the hub until release: from
// now on no published event passes it by.
func (h *hub) acquire(key eventwire.Key) *topic {
	s := h.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[key]
	if t == nil {
		// Cloned, because a part of a URL keeps all of it in memory. Few
		// merchants own many feeds, and a kind is a constant.
		key.Merchant, key.ID = unique.Make(key.Merchant).Value(), strings.Clone(key.ID)
		t = &topic{key: key}
		s.topics[key] = t
	}
	t.refs++
	return t
}

func (h *hub) release(t *topic) {
	s := h.of(t.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.refs--
	s.forget(t)
}

// held reports whether somebody has acquired t, watching or about to.
func (h *hub) held(t *topic) bool {
	s := h.of(t.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.refs > 0
}

// forget drops a topic that nobody holds and that has nothing in memory.
func (s *shard) forget(t *topic) {
	if t.refs == 0 && t.snap.Load() == nil && s.topics[t.key] == t {
		delete(s.topics, t.key)
	}
}

// keep makes snap the topic's message in memory, or drops it when nil, and
// evicts others where the budget is spent.
func (h *hub) keep(t *topic, snap *snapshot) {
	s := h.of(t.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[t.key] != t {
		return // gone from the hub meanwhile; a newcomer reads afresh
	}
	s.drop(t)
	if snap != nil {
		t.snap.Store(snap)
		t.size = snap.size()
		s.bytes += t.size
		s.hot.push(t)
	}
	for s.bytes > h.budget && s.hot.hand != nil && (s.hot.hand != t || s.hot.hand.next != t) {
		s.evictOne(t)
	}
	s.forget(t)
}

// evictOne moves the hand on, and drops what it points at unless that was read
// since the hand last came by. It never drops spare, which was just stored.
func (s *shard) evictOne(spare *topic) {
	t := s.hot.hand
	s.hot.hand = t.next
	if t == spare || t.used.Swap(false) {
		return
	}
	s.drop(t)
	s.forget(t)
}

func (s *shard) drop(t *topic) {
	if t.snap.Load() == nil {
		return
	}
	t.snap.Store(nil)
	s.bytes -= t.size
	s.hot.remove(t)
}

func (r *ring) push(t *topic) {
	if r.hand == nil {
		t.next, t.prev, r.hand = t, t, t
		return
	}
	last := r.hand.prev
	last.next, t.prev, t.next, r.hand.prev = t, last, r.hand, t
}

func (r *ring) remove(t *topic) {
	if t.next == t {
		r.hand = nil
	} else {
		t.prev.next, t.next.prev = t.next, t.prev
		if r.hand == t {
			r.hand = t.next
		}
	}
	t.next, t.prev = nil, nil
}

// all calls fn for every topic, one shard at a time, without holding a lock.
func (h *hub) all(fn func(*topic)) {
	var list []*topic
	for i := range h.shard {
		s := &h.shard[i]
		s.mu.Lock()
		list = list[:0]
		for _, t := range s.topics {
			list = append(list, t)
		}
		s.mu.Unlock()
		for _, t := range list {
			fn(t)
		}
	}
}

// count reports the topics in the hub and the estimated bytes of messages kept.
func (h *hub) count() (topics, bytes int) {
	for i := range h.shard {
		s := &h.shard[i]
		s.mu.Lock()
		topics += len(s.topics)
		bytes += s.bytes
		s.mu.Unlock()
	}
	return topics, bytes
}
