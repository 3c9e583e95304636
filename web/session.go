package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
)

// sessionLifetime is one working day: a console left open overnight asks for
// the key again.
const sessionLifetime = 12 * time.Hour

// session is what a console's cookie holds, sealed: which key, until when. The
// key itself is in neither the cookie nor the page.
type session struct {
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"`
}

// startSession gives the browser a session of key. The key is looked up again
// with every request, so that revoking it ends the session.
func (s *Server) startSession(c echo.Context, key apikeys.Key) error {
	expires := s.now().Add(sessionLifetime).UTC().Truncate(time.Millisecond)
	plain, err := json.Marshal(session{Key: key.ID, Expires: expires})
	if err != nil {
		return err
	}
	c.SetCookie(s.newSessionCookie(base64.RawURLEncoding.EncodeToString(s.sessions.seal(plain, sessionCookie)), expires))
	return nil
}

// endSession takes the session away from the browser.
func (s *Server) endSession(c echo.Context) {
	cookie := s.newSessionCookie("", time.Unix(1, 0))
	cookie.MaxAge = -1
	c.SetCookie(cookie)
}

func (s *Server) newSessionCookie(value string, expires time.Time) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/", Expires: expires, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteStrictMode}
}

func (s *Server) sessionKey(ctx context.Context, value string) (apikeys.Key, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	plain, err := s.sessions.open(sealed, sessionCookie)
	if err != nil {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	var found session
	if err := json.Unmarshal(plain, &found); err != nil || !s.now().Before(found.Expires) {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	return s.deps.Keys.Find(ctx, found.Key)
}
