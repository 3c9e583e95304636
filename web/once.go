package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/idempotency"
)

// Once makes a repeated request have one effect. Implemented by
// *idempotency.Service.
type Once interface {
	InOne(ctx context.Context, r idempotency.Request, fn func(context.Context) ([]byte, error)) (answer []byte, replayed bool, err error)
	Leased(ctx context.Context, r idempotency.Request, fn func(context.Context) ([]byte, error)) (answer []byte, replayed bool, err error)
}

// keyedOwner is whose keys these are. A shopper's never meet a merchant's.
func keyedOwner(p principal) string {
	if p.isMerchant() {
		return p.key.Merchant
	}
	return p.name()
}

// once runs do, or finds the answer that it had before.
func (s *Server) once(ctx context.Context, c echo.Context, r route) (answer, error) {
	keys := c.Request().Header.Values("Idempotency-Key")
	if r.repeat == never || len(keys) == 0 || s.deps.Once == nil {
		if err := r.prepare(ctx, c); err != nil {
			return answer{}, err
		}
		return r.do(ctx, c)
	}
	key := keys[0]
	if len(keys) > 1 || !validKey(key) { // an empty one, too: whoever sends it means to be safe
		return answer{}, invalidHeader("Idempotency-Key", "must have 1 to 255 visible ASCII characters")
	}
	body, _ := c.Get(bodyKey).([]byte)
	content := r.method + " " + c.Request().URL.Path + "\n" + c.Request().Header.Get("If-Match") + "\n" + string(body)
	request := idempotency.Request{Owner: keyedOwner(principalOf(c)), Key: key, Content: []byte(content)}
	if r.before != nil { // for most there is nothing, and so no look for an answer either
		request.Before = func(ctx context.Context) error { return r.before(ctx, c) }
	}
	run := s.deps.Once.InOne
	if r.repeat == leased {
		run = s.deps.Once.Leased
	}
	label := request.Owner + "/" + key
	var made answer
	sealed, replayed, err := run(ctx, request, func(ctx context.Context) (_ []byte, err error) {
		if made, err = r.do(ctx, c); err != nil {
			return nil, err
		}
		plain, err := made.stored()
		if err != nil {
			return nil, err
		}
		return s.answers.seal(plain, label), nil
	})
	if err != nil {
		return answer{}, err
	}
	if !replayed {
		return made, nil
	}
	a, err := s.unseal(sealed, label)
	if err == nil {
		s.metrics.replayed.Inc()
		a.Header["Idempotency-Replayed"] = "true"
	}
	return a, err
}

func (r route) prepare(ctx context.Context, c echo.Context) error {
	if r.before == nil {
		return nil
	}
	return r.before(ctx, c)
}

func (s *Server) unseal(sealed []byte, label string) (answer, error) {
	plain, err := s.answers.open(sealed, label)
	if err != nil { // the secret that sealed it was retired since
		p := newProblem("answer_unreadable", "")
		p.cause = err
		return answer{}, p
	}
	a := answer{}
	if err := json.Unmarshal(plain, &a); err != nil {
		return answer{}, fmt.Errorf("stored answer: %w", err)
	}
	if a.Header == nil {
		a.Header = map[string]string{}
	}
	return a, nil
}

// stored is the answer as JSON. The body is JSON already: it is put in as it is
// instead of being read again.
func (a answer) stored() ([]byte, error) {
	body := a.Body
	a.Body = nil
	text, err := encode(a)
	if err != nil || body == nil {
		return text, err
	}
	return slices.Concat(bytes.TrimSuffix(text, []byte("}")), []byte(`,"body":`), body, []byte("}")), nil
}

func validKey(key string) bool {
	if key == "" || len(key) > idempotency.MaxKey {
		return false
	}
	for i := range len(key) {
		if key[i] < 0x21 || key[i] > 0x7e {
			return false
		}
	}
	return true
}

func problemOfRepeat(err error) *problem {
	switch {
	case errors.Is(err, idempotency.ErrRunning):
		return newProblem("idempotency_in_progress", "").retryAfter(time.Second)
	case errors.Is(err, idempotency.ErrMismatch):
		return newProblem("idempotency_key_reused", "")
	}
	return nil
}
