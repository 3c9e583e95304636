package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"tracker/notify"
)

func ExampleNotifier_Newest() {
	log := newBook()
	order := newFeed(orderKey(7))
	log.append(order.next(false))
	n := notify.New(notify.Options{Log: log})
	e, err := n.Newest(context.Background(), notify.Access{Key: order.key})
	fmt.Println(e.Type, e.Seq, err)
	// Output: order.step_1 1 <nil>
}

func ExampleNotifier_ServeFeed() {
	log := newBook()
	order := newFeed(orderKey(7))
	log.append(order.next(false))
	n := notify.New(notify.Options{Log: log})

	// The edge decides who asks for what; the request says how.
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := n.ServeFeed(w, r, notify.Access{Key: order.key}); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/events?after=1", nil))
	fmt.Println(w.Header().Get("ETag"), w.Body)
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/events?after=one", nil))
	fmt.Print(w.Body)
	// Output:
	// "1" {"events":[],"cursor":1,"closed":false}
	// notify: after: a cursor is a sequence: 0 or a positive whole number
}

func ExampleNotifier_ServeStatus() {
	log := newBook()
	order := newFeed(orderKey(7))
	log.append(order.next(true))
	n := notify.New(notify.Options{Log: log})
	w := httptest.NewRecorder()
	_ = n.ServeStatus(w, httptest.NewRequest(http.MethodGet, "/status", nil), notify.Access{Key: order.key})
	fmt.Println(w.Body)
	// Output: {"id":"ord_00000000000000000000000007","status":"s1","payment_status":"paid","updated_at":"2026-11-23T09:00:01Z","sequence":1,"closed":true}
}
