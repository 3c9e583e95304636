package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	// streamsPerConnection bounds HTTP/2: one connection must not stand for an
	// unlimited number of watchers.
	streamsPerConnection = 1000
)

// newHTTPServer is what the public and the admin listener have in common. ctx
// becomes the parent of every request's context.
func newHTTPServer(ctx context.Context, addr string, h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{
		Addr: addr, Handler: h, Protocols: protocols,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection},
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
}
