package dbconn

// wake is a signal that many may give and one receives: signals that nobody has
// received yet are one.
type wake struct{ ch chan struct{} }

func newWake() *wake { return &wake{ch: make(chan struct{}, 1)} }

func (w *wake) signal() {
	select {
	case w.ch <- struct{}{}:
	default:
	}
}
