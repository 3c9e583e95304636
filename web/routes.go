package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
)

// access says who may call a route.
type access int

const (
	anyone   access = iota // no credential is looked at
	merchant               // a key with the route's scope
	shopper                // a tracking token, or a key with the route's scope
)

// repeat says how an Idempotency-Key is honoured.
type repeat int

const (
	never  repeat = iota
	inOne         // effect and answer in one transaction
	leased        // claimed, run (safe to repeat by key), answered: for calls to a bank
)

// route is one operation of the API with everything that is decided about it.
type route struct {
	op string // its operationId
	endpoint
	access access
	scope  apikeys.Scope
	budget budget // of a feed: of its short polls; a watcher is charged as connects
	body   int64  // most bytes; 0: smallBody
	repeat repeat
	makes  bool                                      // something new, of which no version can be insisted on
	before func(context.Context, echo.Context) error // what of an inOne command must not happen in its transaction
	watch  bool                                      // the feed may be watched
}

// requestTimeout bounds an ordinary request, and answerTimeout the whole of it
// with a leased command (idempotency.RunTime) and a client that reads slowly.
const (
	requestTimeout = 20 * time.Second
	answerTimeout  = 45 * time.Second
)

// mount builds the route table of this process's roles and hands it to echo.
// What answers GET answers HEAD: net/http leaves the body out.
func (s *Server) mount() {
	for _, r := range s.routes() {
		s.echo.Add(r.method, r.path, s.serve(r))
		if r.method == http.MethodGet {
			s.echo.Add(http.MethodHead, r.path, s.serve(r))
		}
	}
}

// Routes lists the operations of the API that this process has, as "METHOD
// /path/{id}", for documentation and its tests.
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.routes() {
		parts := strings.Split(r.path, "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		list = append(list, r.method+" "+strings.Join(parts, "/"))
	}
	return list
}

// serve wraps a route in what the table says: who, how often, how large, how
// long. Cheap refusals come first.
func (s *Server) serve(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.admit(c, r); err != nil {
			return err
		}
		if r.stream != nil {
			return s.serveStream(c, r)
		}
		if err := checkQuery(c, r); err != nil {
			return err
		}
		if r.makes && c.Request().Header.Get("If-Match") != "" {
			return invalidHeader("If-Match", "means nothing here: what is made has no version yet")
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTimeout)
		defer cancel()
		body, err := readBody(c, max(r.body, smallBody))
		if err != nil {
			return err
		}
		c.Set(bodyKey, body)
		// A recorder in a test has no connection; then there is nothing to bound.
		_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(answerTimeout))
		a, err := s.once(ctx, c, r)
		if err != nil {
			return err
		}
		return a.write(c)
	}
}

func (s *Server) serveStream(c echo.Context, r route) error {
	factsOf(c).stream = true
	// An earlier request of this connection may have left its deadline.
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Time{})
	return r.stream(c)
}

// admit authenticates, authorises and charges. A bad credential is charged to
// the address, so that guessing is as slow as asking without one.
func (s *Server) admit(c echo.Context, r route) error {
	if r.watch && opensWatcher(c.Request()) {
		r.budget = connects
	}
	if r.access == anyone {
		return s.charge(c, r.budget, principal{})
	}
	p, err := s.principal(c)
	if err != nil {
		if limited := s.charge(c, r.budget, principal{}); limited != nil {
			return limited
		}
		return err
	}
	if err := s.charge(c, r.budget, p); err != nil {
		return err
	}
	return authorise(p, r)
}

func authorise(p principal, r route) error {
	switch {
	case p.isNobody():
		return unauthorized("Send Authorization: Bearer with a merchant's key, or with the order's tracking token.")
	case !p.isMerchant() && r.access == merchant:
		return newProblem("forbidden", "This needs a merchant's key, not a tracking token.")
	case p.isMerchant() && !p.key.Can(r.scope):
		return newProblem("forbidden", "This key lacks the scope "+string(r.scope)+".")
	}
	return nil
}
