package ordersdb_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"tracker/orders"
)

// toggle is a wish to hold or to release an order at a sequence; answer is what
// came of it: the order's sequence, and whether the wish was refused.
type toggle struct {
	hold bool
	at   int64
}

type answer struct {
	sequence int64
	refused  bool
}

// held is all that a toggle depends on.
type held struct {
	sequence int64
	hold     bool
}

// register is what one order promises to everybody who changes it with If-Match:
// as if all wishes came one after the other.
func register(initial held) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, output any) (bool, any) {
			now, wish, got := state.(held), input.(toggle), output.(answer)
			switch {
			case wish.at != now.sequence:
				return got == answer{now.sequence, true}, now
			case wish.hold == now.hold:
				return got == answer{now.sequence, false}, now
			}
			next := held{now.sequence + 1, wish.hold}
			return got == answer{next.sequence, false}, next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " → ", output) },
	}
}

func TestStore_changes_of_one_order_are_linearizable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		const clients, wishes = 4, 12
		history := make([][]porcupine.Operation, clients)
		start := time.Now()
		var all sync.WaitGroup
		for client := range clients {
			all.Go(func() {
				dice, known := rand.New(rand.NewPCG(1, uint64(client))), o.Sequence
				for range wishes {
					wish := toggle{hold: dice.IntN(2) == 0, at: known}
					call := time.Since(start)
					got, err := w.toggle(t, o.ID, wish)
					if err != nil {
						t.Error(err)
						return
					}
					known = got.sequence
					history[client] = append(history[client], porcupine.Operation{ClientId: client, Input: wish, Output: got,
						Call: int64(call), Return: int64(time.Since(start))})
				}
			})
		}
		all.Wait()
		var operations []porcupine.Operation
		for _, part := range history {
			operations = append(operations, part...)
		}
		if !porcupine.CheckOperations(register(held{sequence: o.Sequence}), operations) {
			t.Errorf("no order of these explains the answers: %v", operations)
		}
	})
}

func (w *world) toggle(t *testing.T, id string, wish toggle) (answer, error) {
	do := w.service.Release
	if wish.hold {
		do = w.service.Hold
	}
	o, err := do(t.Context(), w.merchant, id, orders.Hold{IfSequence: wish.at})
	var lost *orders.ConflictError
	if errors.As(err, &lost) && lost.Code == orders.CodeSequenceMismatch {
		return answer{lost.Sequence, true}, nil
	}
	return answer{o.Sequence, false}, err
}
