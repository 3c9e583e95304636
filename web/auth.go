package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

// Keys find out whose key a request carries. Implemented by *apikeys.Service.
type Keys interface {
	// Verify returns the key, or an error that is apikeys.ErrUnknownKey.
	Verify(ctx context.Context, raw string) (apikeys.Key, error)
	// Find returns a key that is not revoked by its public id, for sessions.
	Find(ctx context.Context, id string) (apikeys.Key, error)
}

// Tokens make and read tracking tokens. Implemented by *tracktoken.Signer.
type Tokens interface {
	Sign(tracktoken.Claims) (string, error)
	Verify(token string) (tracktoken.Claims, error)
}

const (
	trackCookie   = "trk_" // and the order's id
	sessionCookie = "tracker_session"
	// tokenProtocol is how a browser's WebSocket, which can set no header, hands
	// a token over: as a second subprotocol that is never selected.
	tokenProtocol = "token."
	maxTokens     = 20 // tracking cookies looked at in one request
)

// principal is who sends a request: a merchant's key, or the holder of tracking
// tokens (several when a browser follows several orders), or nobody.
type principal struct {
	key    apikeys.Key
	tokens []tracktoken.Claims
	cookie bool // authenticated by a cookie, not by a header
}

func (p principal) isMerchant() bool { return p.key.ID != "" }
func (p principal) isNobody() bool   { return p.key.ID == "" && len(p.tokens) == 0 }

// token returns the tracking token for order, if there is one.
func (p principal) token(order string) (tracktoken.Claims, bool) {
	for _, t := range p.tokens {
		if t.Order == order {
			return t, true
		}
	}
	return tracktoken.Claims{}, false
}

// name stands for the principal in logs and limits: a key's public id, or the
// order of a token. Empty for nobody.
func (p principal) name() string {
	if p.isMerchant() {
		return p.key.ID
	}
	if len(p.tokens) > 0 {
		return p.tokens[0].Order
	}
	return ""
}

func principalOf(c echo.Context) principal {
	return factsOf(c).principal
}

// principal authenticates the request once. A credential that is given by
// header or query and is not good is an error; a stale cookie is nobody.
func (s *Server) principal(c echo.Context) (principal, error) {
	known := factsOf(c)
	if known.identified {
		return known.principal, nil
	}
	p, err := s.identify(c.Request())
	if err != nil {
		return principal{}, err
	}
	known.principal, known.identified = p, true
	return p, nil
}

func (s *Server) identify(r *http.Request) (principal, error) {
	credential, given, err := explicitCredential(r)
	if err != nil {
		return principal{}, err
	}
	if !given {
		return s.fromCookies(r)
	}
	if strings.HasPrefix(credential, apikeys.Prefix) {
		key, err := s.deps.Keys.Verify(r.Context(), credential)
		return principal{key: key}, unchecked(err)
	}
	claims, err := s.deps.Tokens.Verify(credential)
	if err != nil {
		return principal{}, err
	}
	return principal{tokens: []tracktoken.Claims{claims}}, nil
}

// unchecked is the error of a key about which the store could not be asked: that
// is not the caller's fault, and passes.
func unchecked(err error) error {
	if err == nil || errors.Is(err, apikeys.ErrUnknownKey) {
		return err
	}
	p := newProblem("unavailable", "The key could not be checked.").retryAfter(time.Second)
	p.cause = err
	return p
}

// explicitCredential is what the request carries outside cookies. A key is only
// accepted in the header: in a URL it would end in somebody's log.
func explicitCredential(r *http.Request) (credential string, given bool, err error) {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, value, ok := strings.Cut(h, " ")
		if value = strings.TrimSpace(value); !ok || value == "" || !strings.EqualFold(scheme, "Bearer") {
			return "", true, unauthorized("Authorization must be the word Bearer and a key or token.")
		}
		return value, true, nil
	}
	for _, list := range r.Header.Values("Sec-WebSocket-Protocol") {
		for part := range strings.SplitSeq(list, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(part), tokenProtocol); ok {
				return token, true, refuseKey(token)
			}
		}
	}
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token, true, refuseKey(token)
	}
	return "", false, nil
}

func refuseKey(token string) error {
	if strings.HasPrefix(token, apikeys.Prefix) {
		return unauthorized("A key is accepted in the Authorization header only: in an address it would end in somebody's log.")
	}
	return nil
}

func (s *Server) fromCookies(r *http.Request) (principal, error) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		key, err := s.sessionKey(r.Context(), c.Value)
		if err == nil {
			return principal{key: key, cookie: true}, nil
		}
		if !errors.Is(err, apikeys.ErrUnknownKey) {
			return principal{}, unchecked(err)
		}
	}
	p := principal{cookie: true}
	for _, c := range r.Cookies() {
		if len(p.tokens) >= maxTokens || !strings.HasPrefix(c.Name, trackCookie) {
			continue
		}
		if claims, err := s.deps.Tokens.Verify(c.Value); err == nil && c.Name == trackCookie+claims.Order {
			p.tokens = append(p.tokens, claims)
		}
	}
	return p, nil
}

// setTrackingCookie lets a browser follow claims' order without a token in any
// address. The cookie dies with the token.
func (s *Server) setTrackingCookie(c echo.Context, claims tracktoken.Claims, token string) {
	c.SetCookie(&http.Cookie{
		Name: trackCookie + claims.Order, Value: token, Path: "/", Expires: claims.Expires,
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
}
