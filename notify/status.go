package notify

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// statusBody is the flat object of ServeStatus: of the resource's own members
// its id, its statuses and when it changed, beside the feed's sequence and end.
// It goes by names, so that a new kind of feed has a status without a change here.
func (s *snapshot) statusBody() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == nil {
		s.status = s.encodeStatus()
	}
	return s.status
}

func (s *snapshot) encodeStatus() []byte {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(s.event.Resource, &members) // an object, or the event would not have been decoded
	var names []string
	for name, value := range members {
		if isStatus(name) && len(value) > 0 && value[0] != '{' && value[0] != '[' {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	b := []byte{'{'}
	for _, name := range names {
		b = strconv.AppendQuote(b, name)
		b = append(b, ':')
		b = append(b, members[name]...)
		b = append(b, ',')
	}
	b = append(b, `"sequence":`...)
	b = strconv.AppendInt(b, s.seq(), 10)
	b = append(b, `,"closed":`...)
	b = strconv.AppendBool(b, s.event.Closed)
	return append(b, '}')
}

// isStatus reports whether a member of a resource belongs into its status.
func isStatus(name string) bool {
	return name == "id" || name == "status" || name == "updated_at" || strings.HasSuffix(name, "_status")
}

// rank puts the id first, the headline next and the time last.
func rank(name string) int {
	switch name {
	case "id":
		return 0
	case "status":
		return 1
	case "updated_at":
		return 3
	}
	return 2
}
