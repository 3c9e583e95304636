package eventwire_test

import (
	"os"
	"path/filepath"
	"testing"

	"tracker/notify/eventwire"
)

func TestTypeOf(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := eventwire.Decode(text)
		if err != nil {
			continue // not an event
		}
		body, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := eventwire.TypeOf(body); !ok || got != e.Type {
			t.Errorf("%s: %q, %v, want %s", file, got, ok, e.Type)
		}
	}
}

// What is written otherwise is nobody's type: it has to be decoded.
func TestTypeOf_does_not_guess(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"", "{", `{"type"`, `{"type":`, `{"type":"x"`, `{"type":"x"}`, `{ "type":"x","id":"1"}`, `{"type": "x","id":"1"}`,
		`{"ty\u0070e":"x","id":"1"}`, `{"type":"x\"y","id":"1"}`, `{"seq":1,"type":"x","id":"1"}`, `{"data":{"type":"x","id":"1"}}`, `["type","x"]`,
	} {
		if got, ok := eventwire.TypeOf([]byte(message)); ok {
			t.Errorf("%s: %q", message, got)
		}
	}
}
