package web

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// span is a length of time in a request: a number of seconds, or text such as
// "90m" as in our configuration.
type span time.Duration

var errSpan = errors.New("must be a positive number of seconds, or text such as \"90m\"")

// maxSpan keeps the arithmetic of whoever uses a span far from its limits.
const maxSpan = 10 * 365 * 24 * time.Hour

// UnmarshalJSON reads seconds, also fractions of one down to a millisecond, or
// a duration as text.
func (s *span) UnmarshalJSON(text []byte) error {
	var d time.Duration
	raw := string(text)
	if quoted, ok := strings.CutPrefix(raw, `"`); ok {
		parsed, err := time.ParseDuration(strings.TrimSuffix(quoted, `"`))
		if err != nil {
			return errSpan
		}
		d = parsed
	} else {
		seconds, err := strconv.ParseFloat(raw, 64)
		if err != nil || math.Abs(seconds) > maxSpan.Seconds() {
			return errSpan
		}
		d = time.Duration(math.Round(seconds*1000)) * time.Millisecond
	}
	if d <= 0 || d > maxSpan {
		return errSpan
	}
	*s = span(d)
	return nil
}

func (s *span) duration() time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(*s)
}
