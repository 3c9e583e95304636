package eventwire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	merchant = "mer_06b8ge3s9xk2v7qy4m1c0twz5n"
	order    = "ord_06b8ge3s9xk2v7qy4m1c0twz5n"
	payment  = "pay_06b8ge3s9xk2v7qy4m1c0twz5n"
)

func at(s int) time.Time { return time.Date(2026, 11, 23, 9, 0, s, 123e6, time.UTC) }

// sample is an event of the given type as the fourth transition of its feed.
func sample(t *testing.T, typ string) eventwire.Event {
	t.Helper()
	kind, word, _ := strings.Cut(typ, ".")
	key := eventwire.Key{Merchant: merchant, Kind: eventwire.Kind(kind), ID: order}
	if key.Kind == eventwire.Payments {
		key.ID = payment
	}
	theirs := at(2)
	timeline := []eventwire.Transition{
		{Seq: 1, Type: kind + ".created", To: "pending", At: at(0), Cause: "merchant"},
		{Seq: 2, Type: typ, From: "pending", To: "waiting", At: at(1), Cause: "shopper"},
		{Seq: 3, Type: typ, From: "waiting", To: "asked", At: at(2), Cause: "poll", Evidence: "check_2"},
		{Seq: 4, Type: typ, From: "asked", To: word, At: at(3), Cause: "callback", Evidence: "evt_bank_7", TheirTime: &theirs, Subject: key.ID},
	}
	e, err := eventwire.New(key, order, 1, word == "completed", timeline, map[string]any{"id": key.ID, "status": word, "sequence": 4, "note": "<&> é"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvent_golden_file_of_every_type(t *testing.T) {
	t.Parallel()
	for _, typ := range eventwire.Types() {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			e := sample(t, typ)
			got, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", typ+".json")
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
				t.Errorf("wire form changed (-want +got):\n%s", diff)
			}
			if strings.ContainsAny(string(got), "\r\n") {
				t.Error("an event must be one line")
			}
			back, err := eventwire.Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, back); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvent_At_gives_each_missed_transition_its_own_event(t *testing.T) {
	t.Parallel()
	e := sample(t, "order.completed")
	for seq := int64(1); seq <= 4; seq++ {
		p, ok := e.At(seq)
		if !ok || p.Seq != seq || p.ID != eventwire.EventID(order, seq) || p.Transition != e.Timeline[seq-1] || p.Timeline != nil {
			t.Errorf("At(%d) = %+v, %v", seq, p, ok)
		}
	}
	for _, seq := range []int64{-1, 0, 5} {
		if _, ok := e.At(seq); ok {
			t.Errorf("At(%d) exists", seq)
		}
	}
	if e.Timeline == nil || e.Public().Timeline != nil {
		t.Error("Public drops the timeline of the copy only")
	}
	if last, _ := e.At(4); last.ID != e.ID {
		t.Errorf("the last transition has id %s live and %s replayed", e.ID, last.ID)
	}
}

func TestDecode_refuses_what_is_no_event(t *testing.T) {
	t.Parallel()
	good, err := sample(t, "order.created").Encode()
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	for _, change := range []func(){
		func() { fields["specversion"] = "2.0" },
		func() { fields["source"] = "/refunds" },
		func() { fields["seq"] = 0 },
		func() { delete(fields, "id") },
		func() { delete(fields, "merchant") },
		func() { fields["data"] = "text" },
		func() { delete(fields["data"].(map[string]any), "transition") },
		func() { fields["data"] = map[string]any{"payment": map[string]any{}} },
	} {
		if err := json.Unmarshal(good, &fields); err != nil {
			t.Fatal(err)
		}
		change()
		bad, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := eventwire.Decode(bad); err == nil {
			t.Errorf("accepted %s", bad)
		}
		fields = nil
	}
	for _, text := range []string{"", "{", "null", "[]", `"x"`} {
		if _, err := eventwire.Decode([]byte(text)); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

func TestDecode_of_an_event_on_several_lines_gives_one_line(t *testing.T) {
	t.Parallel()
	good, err := sample(t, "order.created").Encode()
	if err != nil {
		t.Fatal(err)
	}
	var wide bytes.Buffer
	if err := json.Indent(&wide, good, "", "\t"); err != nil {
		t.Fatal(err)
	}
	e, err := eventwire.Decode(wide.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if back, err := e.Encode(); err != nil || string(back) != string(good) {
		t.Errorf("%s, %v", back, err)
	}
}

func TestDecode_ignores_fields_of_a_newer_version(t *testing.T) {
	t.Parallel()
	message := `{"specversion":"1.0","id":"evt_1","source":"/orders","type":"order.renamed","subject":"` + order + `","time":"2026-11-23T09:00:00Z","seq":1,"merchant":"` + merchant +
		`","owner":"` + order + `","novelty":{"a":1},"data":{"transition":{"seq":1,"mood":"new"},"order":{"id":"x"},"extra":[]}}`
	if _, err := eventwire.Decode([]byte(message)); err != nil {
		t.Error(err)
	}
}

func TestNew_needs_a_transition(t *testing.T) {
	t.Parallel()
	if _, err := eventwire.New(eventwire.Key{}, "", 0, false, nil, struct{}{}); err == nil {
		t.Error("an event of nothing")
	}
}

func FuzzDecode(f *testing.F) {
	for _, typ := range eventwire.Types() {
		text, err := os.ReadFile(filepath.Join("testdata", typ+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := eventwire.Decode(message)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if _, err := eventwire.Decode(again); err != nil {
			t.Errorf("what was decoded once is not decoded twice: %v\n%s", err, again)
		}
	})
}
