package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/centrifugal/centrifuge"
)

// centrifugeNode is Centrifuge in this process.
type centrifugeNode struct {
	node *centrifuge.Node
	on   net.Addr
}

type orderKey struct{}

func startCentrifuge(ctx context.Context) (*centrifugeNode, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		order, _ := ctx.Value(orderKey{}).(string)
		if order == "" {
			return centrifuge.ConnectReply{}, errors.New("no order")
		}
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "bench"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{order: {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	streams := centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{})
	connect := url.Values{"cf_connect": {`{"connect":{},"id":1}`}}.Encode()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders/{order}/events", func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), orderKey{}, r.PathValue("order")))
		r.URL.RawQuery = connect
		streams.ServeHTTP(w, r)
	})
	on, err := serve(ctx, mux)
	if err != nil {
		return nil, err
	}
	return &centrifugeNode{node, on}, nil
}

func (p *centrifugeNode) address() string      { return p.on.String() }
func (p *centrifugeNode) pids() ([]int, error) { return []int{os.Getpid()}, nil }

func (p *centrifugeNode) publish(_ context.Context, order string, event []byte) error {
	_, err := p.node.Publish(order, event)
	return err
}

func (p *centrifugeNode) close() error { return p.node.Shutdown(context.Background()) }
