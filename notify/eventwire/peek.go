package eventwire

import "bytes"

// TypeOf reads the type of an encoded event without decoding it, for those who
// care about few types. It reports false for a message that is not written as
// [Event.Encode] writes it, which [Decode] may read all the same.
func TypeOf(message []byte) (eventType string, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte("{"))
	for ok {
		var key, value []byte
		if key, rest, ok = plainText(rest, ':'); !ok {
			break
		}
		if value, rest, ok = plainText(rest, ','); ok && string(key) == "type" {
			return string(value), true
		}
	}
	return "", false
}

// plainText reads a JSON string without escapes that end follows.
func plainText(b []byte, end byte) (text, rest []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(`"`))
	text, rest, found := bytes.Cut(b, []byte(`"`))
	if !ok || !found || bytes.IndexByte(text, '\\') >= 0 || len(rest) == 0 || rest[0] != end {
		return nil, nil, false
	}
	return text, rest[1:], true
}
