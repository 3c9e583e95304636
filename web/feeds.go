package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/notify"
	"tracker/notify/eventwire"
)

// Feeds bring changes to whoever waits for them. Implemented by
// *notify.Notifier. An error means that nothing was written.
type Feeds interface {
	ServeFeed(w http.ResponseWriter, r *http.Request, a notify.Access) error
	ServeStatus(w http.ResponseWriter, r *http.Request, a notify.Access) error
	ServeFirehose(w http.ResponseWriter, r *http.Request, merchant, principal, address string) error
	// Newest returns the newest event that a may see.
	Newest(ctx context.Context, a notify.Access) (eventwire.Event, error)
}

// feed serves one kind's feed by serve, which is ServeFeed or ServeStatus.
func (s *Server) feed(kind eventwire.Kind, serve func(http.ResponseWriter, *http.Request, notify.Access) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		a, err := s.access(c, kind, c.Param("id"))
		if err != nil {
			return err
		}
		return serve(c.Response(), c.Request(), a)
	}
}

// opensWatcher reports whether the request will stay open, which costs more
// than an answer at once.
func opensWatcher(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream") || r.Header.Get("Upgrade") != "" ||
		(strings.Contains(r.URL.RawQuery, "wait") && r.URL.Query().Has("wait")) || strings.Contains(r.Header.Get("Prefer"), "wait")
}

func (s *Server) followEverything(c echo.Context) error {
	p := principalOf(c)
	return s.deps.Feeds.ServeFirehose(c.Response(), c.Request(), p.key.Merchant, p.name(), addressOf(s.echo, c.Request()))
}

// access turns the principal into what notify checks. Whether a token still
// holds, and whether a payment belongs to its order, only the feed's newest
// event can tell; that is asked there.
func (s *Server) access(c echo.Context, kind eventwire.Kind, id string) (notify.Access, error) {
	p := principalOf(c)
	a := notify.Access{Key: eventwire.Key{Merchant: p.key.Merchant, Kind: kind, ID: id}, Principal: p.name(), Address: addressOf(s.echo, c.Request())}
	if !kind.ValidID(id) {
		return notify.Access{}, notify.ErrNotFound
	}
	if p.isMerchant() {
		return a, nil
	}
	if kind == eventwire.Orders {
		t, ok := p.token(id)
		if !ok {
			return notify.Access{}, notify.ErrNotFound
		}
		a.Key.Merchant, a.Owner, a.Epoch, a.Principal = t.Merchant, t.Order, t.Epoch, t.Order
		return a, nil
	}
	return s.accessByAny(c.Request().Context(), a, p)
}

// accessByAny finds which of a browser's tokens opens the feed. One token is
// not tried out first: the feed itself does that.
func (s *Server) accessByAny(ctx context.Context, a notify.Access, p principal) (notify.Access, error) {
	for _, t := range p.tokens {
		a.Key.Merchant, a.Owner, a.Epoch, a.Principal = t.Merchant, t.Order, t.Epoch, t.Order
		if len(p.tokens) == 1 {
			return a, nil
		}
		if _, err := s.deps.Feeds.Newest(ctx, a); !errors.Is(err, notify.ErrNotFound) {
			return a, err
		}
	}
	return notify.Access{}, notify.ErrNotFound
}

// checkToken asks the order's newest event whether the token still holds, for
// operations that do not go through a feed. Unknown is not good: it fails closed.
func (s *Server) checkToken(ctx context.Context, order string, p principal) error {
	t, ok := p.token(order)
	if !ok {
		return newProblem("not_found", "")
	}
	if s.deps.Feeds == nil {
		return newProblem("unavailable", "Tokens cannot be checked here.").retryAfter(time.Minute)
	}
	key := eventwire.Key{Merchant: t.Merchant, Kind: eventwire.Orders, ID: t.Order}
	_, err := s.deps.Feeds.Newest(ctx, notify.Access{Key: key, Owner: t.Order, Epoch: t.Epoch, Principal: t.Order})
	return err
}

func problemOfFeeds(err error) *problem {
	var limit *notify.LimitError
	var bad *notify.BadRequestError
	switch {
	case errors.Is(err, notify.ErrNotFound):
		return newProblem("not_found", "")
	case errors.Is(err, notify.ErrRevoked):
		return revoked()
	case errors.Is(err, notify.ErrUnavailable):
		return newProblem("unavailable", "The feed does not answer.").retryAfter(time.Second)
	case errors.Is(err, notify.ErrOrigin):
		return newProblem("cross_origin", "")
	case errors.As(err, &limit) && limit.Total:
		return newProblem("overloaded", "").retryAfter(limit.RetryAfter)
	case errors.As(err, &limit):
		return newProblem("too_many_watchers", "").retryAfter(limit.RetryAfter)
	case errors.As(err, &bad):
		p := newProblem(bad.Code, bad.Detail)
		p.Errors = []fieldProblem{{Parameter: bad.Parameter, Code: bad.Code, Detail: bad.Detail}}
		return p
	}
	return nil
}
