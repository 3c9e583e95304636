package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
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
