package payments_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracker/payments"
)

// However the calls are asked for, and by whomever: no more than a second's worth
// at once, no more than the rate in the long run, and nobody is told to come back
// in vain.
func TestPace_keeps_the_rate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.2, 1, 7, 50, 1000}).Draw(rt, "rate")
		began := newClock().now()
		now, handed := began, 0
		var pace payments.Pace
		for range rapid.IntRange(1, 40).Draw(rt, "times") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3e9).Draw(rt, "later")))
			want := rapid.IntRange(1, 100).Draw(rt, "want")
			got, again := pace.Allow(now, want, rate)
			pace = pace.Spend(now, got, rate)
			if got < want {
				if !again.After(now) {
					rt.Fatalf("%d of %d, and again at %s", got, want, again.Sub(began))
				}
				if more, _ := pace.Allow(again, want, rate); more == 0 {
					rt.Fatalf("came back in vain at %s", again.Sub(began))
				}
			}
			handed += got
			if most := max(1, rate) + now.Sub(began).Seconds()*rate; float64(handed) > most+1 {
				rt.Fatalf("%d handed out in %s at %v", handed, now.Sub(began), rate)
			}
		}
	})
}

func TestPace_of_nothing_and_of_silence(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	if got, again := (payments.Pace{}).Allow(now, 10_000, -1); got != 10_000 || !again.IsZero() {
		t.Errorf("without a limit: %d, again %s", got, again)
	}
	quiet := payments.Pace{Quiet: now.Add(time.Minute)}
	if got, again := quiet.Allow(now, 1, -1); got != 0 || !again.Equal(quiet.Quiet) {
		t.Errorf("in the silence: %d, again %s", got, again)
	}
	if got, _ := quiet.Allow(quiet.Quiet, 1, 1); got != 1 {
		t.Error("the silence does not end")
	}
}
