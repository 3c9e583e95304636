package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who asks while a query runs must not get its answer: it may be older than what
// they ask for.
func TestSubscribers_a_query_answers_only_who_asked_before_it_began(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked [][]string
		began, release := make(chan struct{}), make(chan struct{})
		s := &subscribers{read: func(_ context.Context, merchants []string) (map[string][]Endpoint, error) {
			n := len(asked)
			asked = append(asked, merchants)
			began <- struct{}{}
			<-release
			found := map[string][]Endpoint{}
			for _, m := range merchants {
				found[m] = []Endpoint{{ID: fmt.Sprint(m, n)}}
			}
			return found, nil
		}}
		var all sync.WaitGroup
		ask := func(merchant, want string) {
			all.Go(func() {
				list, err := s.of(t.Context(), merchant)
				if err != nil || len(list) != 1 || list[0].ID != want {
					t.Errorf("%s got %v, %v, want %s", merchant, list, err, want)
				}
			})
		}
		ask("a", "a0")
		<-began
		for range 3 {
			ask("a", "a1")
			ask("b", "b1")
		}
		synctest.Wait()
		release <- struct{}{}
		<-began
		release <- struct{}{}
		all.Wait()
		if len(asked) != 2 || !slices.Equal(asked[1], []string{"a", "b"}) {
			t.Errorf("queries %v", asked)
		}
		ask("c", "c2")
		<-began
		release <- struct{}{}
		all.Wait()
	})
}

func TestSubscribers_who_gives_up_leaves_the_query_to_others(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		s := &subscribers{read: func(ctx context.Context, _ []string) (map[string][]Endpoint, error) {
			return nil, errors.Join(boom, ctx.Err())
		}}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // both are ready: chance decides
			_, _ = s.of(gone, "a")
		}
		if _, err := s.of(t.Context(), "b"); !errors.Is(err, boom) {
			t.Errorf("error %v", err)
		}
	})
}

func TestSubscribers_share_a_query_under_load_and_wait_for_none_alone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queries := 0
		s := &subscribers{read: func(context.Context, []string) (map[string][]Endpoint, error) {
			queries++
			return nil, nil
		}}
		ask := func() {
			if _, err := s.of(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		for range 10 {
			began := time.Now()
			ask()
			if waited := time.Since(began); waited != 0 {
				t.Errorf("a lone event waited for %s", waited)
			}
			time.Sleep(queryPause)
		}
		began := time.Now()
		queries = 0
		var load sync.WaitGroup
		for range 16 {
			load.Go(func() {
				for range 100 {
					ask()
				}
			})
		}
		load.Wait()
		if most := int(time.Since(began)/queryPause) + 1; queries > most || queries > 101 {
			t.Errorf("%d queries for 1,600 events in %s", queries, time.Since(began))
		}
	})
}
