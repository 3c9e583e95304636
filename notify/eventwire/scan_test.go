package eventwire

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func goldenMessages(tb testing.TB) (list [][]byte) {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, bytes.TrimSpace(text))
	}
	return list
}

// What we write is what scan reads: else every event would take the long way.
func TestScan_reads_what_Encode_writes(t *testing.T) {
	t.Parallel()
	for _, message := range goldenMessages(t) {
		e, ok := scan(message)
		if !ok {
			t.Errorf("not read: %s", message)
			continue
		}
		e.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		for _, e := range []Event{e, e.Public()} {
			again, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, ok := scan(again)
			if diff := cmp.Diff(e, back); !ok || diff != "" {
				t.Errorf("%v (-want +got):\n%s", ok, diff)
			}
		}
	}
}

// FuzzScan holds scan against encoding/json: what it reads must be the same event.
func FuzzScan(f *testing.F) {
	for _, message := range goldenMessages(f) {
		f.Add(message)
		for _, change := range [][2]string{
			{`"seq":4`, `"seq":04`}, {`"seq":4`, `"seq":-4`}, {`"seq":4`, `"seq":99999999999999999999`}, {`"epoch":1,`, ``}, {`"epoch":1`, `"epoch":0`},
			{`"closed":false`, `"closed":null`}, {`.123Z`, `.123+02:00`}, {`.123Z`, `Z`}, {`"evidence":""`, `"evidence":"\u0041"`}, {`"evidence":""`, `"evidence":"\xff"`},
			{`"note":`, `"note":1,"note":`}, {`"note":`, `"no}te":`}, {`"status"`, "\n\"status\""}, {`"order":{`, `"order":{,`}, {`"order":{`, `"order": {`},
			{`,"timeline":[`, `,"timeline":[],"more":[`}, {`"cause":"merchant",`, ``}, {`}}`, `},"more":1}`}, {`"1.0"`, `"1.1"`}, {`"/orders"`, `"/payments"`},
		} {
			f.Add(bytes.Replace(message, []byte(change[0]), []byte(change[1]), 1))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		got, ok := scan(message)
		if !ok {
			return
		}
		want, err := decodeAny(message)
		if err != nil {
			t.Fatalf("scan reads what is no event: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	message := goldenMessages(b)[2]
	for name, decode := range map[string]func([]byte) (Event, error){"own": Decode, "any": decodeAny} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
