package eventwire_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
)

func TestPeek(t *testing.T) {
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
		want := e
		want.Transition, want.Resource, want.Timeline = eventwire.Transition{}, nil, nil
		got, ok := eventwire.Peek(body)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", file, ok, diff)
		}
	}
}

// What is written otherwise has to be decoded.
func TestPeek_does_not_guess(t *testing.T) {
	t.Parallel()
	good, err := sample(t, "order.confirmed").Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`{"spec`, `{ "spec`}, {`"type":`, `"type": `}, {`"1.0"`, `"0.3"`}, {`/orders`, `/parcels`}, {`"order.confirmed"`, `""`}, {`"type":"order`, `"type":"\u006frder`},
		{`T09:`, `T29:`}, {`"seq":4`, `"seq":0`}, {`"seq":4`, `"seq":"4"`}, {`"merchant":"mer_`, `"merchant":"mer\n_`}, {`"closed":false`, `"closed":0`}, {`"data":`, `"more":1,"data":`},
	} {
		message := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if got, ok := eventwire.Peek(message); ok {
			t.Errorf("%s: %+v", change[1], got)
		}
	}
	for end := range bytes.Index(good, []byte(`"data":`)) {
		if got, ok := eventwire.Peek(good[:end]); ok {
			t.Errorf("cut off after %d bytes: %+v", end, got)
		}
	}
}
