package eventwire

// Peek reads the envelope of an encoded event and not its data, for those who care
// about few events: Transition, Resource and Timeline stay empty. It reports false
// for a message that is not written as [Event.Encode] writes it, which [Decode] may
// read all the same.
func Peek(message []byte) (Event, bool) {
	s := scanner{rest: message}
	e := s.envelope()
	return e, !s.failed
}
