package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// lane publishes on a peer as it is told. Its requests come one at a time.
type lane struct {
	peer peer
	past map[string]int64
}

// publishing is what the control is told to publish.
type publishing struct {
	From   int `json:"from"`
	Feeds  int `json:"feeds"`
	Events int `json:"events"`
	Rate   int `json:"rate"`
	Size   int `json:"size"`
}

func (l *lane) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		var p publishing
		err := json.NewDecoder(r.Body).Decode(&p)
		if err == nil {
			err = l.publish(r.Context(), p)
		}
		answer(w, nil, err)
	})
	mux.HandleFunc("GET /pids", func(w http.ResponseWriter, _ *http.Request) {
		list, err := l.peer.pids()
		answer(w, list, err)
	})
	mux.HandleFunc("POST /collect", func(http.ResponseWriter, *http.Request) { runtime.GC() })
	return mux
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if body != nil {
		_ = json.NewEncoder(w).Encode(body) // the asker is gone: nobody misses it
	}
}

func (l *lane) publish(ctx context.Context, p publishing) error {
	began := time.Now()
	for i := range p.Events {
		if p.Rate > 0 {
			select {
			case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(p.Rate)))):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		order := fmt.Sprintf("ord_%026d", p.From+i%max(p.Feeds, 1))
		l.past[order]++
		if err := l.peer.publish(ctx, order, event(l.past[order], p.Size)); err != nil {
			return err
		}
	}
	return nil
}

// usualSize is about what tracker's events take.
const usualSize = 1200

// event tells its sequence and the moment of its making, and is filled up to size.
func event(seq int64, size int) []byte {
	if size == 0 {
		size = usualSize
	}
	head := fmt.Sprintf(`{"seq":%d,"sent":%d,"note":"`, seq, time.Now().UnixNano())
	return []byte(head + strings.Repeat("x", max(size-len(head)-len(`"}`)-len("data: \n"), 0)) + `"}`)
}

// serve answers on a port of its own until ctx ends.
func serve(ctx context.Context, h http.Handler) (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	context.AfterFunc(ctx, func() { server.Close() })
	return l.Addr(), nil
}
