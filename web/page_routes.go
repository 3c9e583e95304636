package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/web/tracktoken"
)

// pageRoutes mounts the pages. Each of them costs a read, a form a write.
func (s *Server) pageRoutes(e *echo.Echo) {
	get := func(path string, h echo.HandlerFunc) {
		e.GET(path, s.budgeted(reads, h))
		e.HEAD(path, s.budgeted(reads, h))
	}
	post := func(path string, h echo.HandlerFunc) { e.POST(path, s.budgeted(writes, h)) }
	e.GET("/client/*", s.serveAsset)
	e.HEAD("/client/*", s.serveAsset)
	get("/", s.shopPage)
	post("/", s.placeDemoOrder)
	get("/track/:order", s.trackPage)
	get("/checkout/:order", s.checkoutPage)
	post("/checkout/:order/pay", s.payForm)
	post("/checkout/:order/stop", s.stopForm)
	get("/docs", s.docsPage)
	get("/lab", s.labPage)
	post("/lab/start", s.labStart)
	post("/lab/change", s.labChange)
	s.consoleRoutes(get, post)
}

// budgeted charges the caller before a page is made. A bad cookie is nobody, so
// that an old one never locks anybody out of a page.
func (s *Server) budgeted(b budget, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := s.principal(c)
		if err != nil {
			if limited := s.charge(c, b, principal{}); limited != nil {
				return limited
			}
			return err
		}
		if err := s.charge(c, b, p); err != nil {
			return err
		}
		return next(c)
	}
}

// enter turns a token in the address into a cookie and sends the browser to the
// clean address. It changes and uses up nothing: preview robots come this way.
func (s *Server) enter(c echo.Context, path string) (bool, error) {
	q := c.Request().URL.Query()
	token := q.Get("access_token")
	if token == "" {
		return false, nil
	}
	claims, err := s.deps.Tokens.Verify(token)
	if err != nil {
		return true, err
	}
	if claims.Order != c.Param("order") {
		return true, newProblem("not_found", "")
	}
	s.grantTracking(c, claims, token)
	q.Del("access_token")
	if rest := q.Encode(); rest != "" {
		path += "?" + rest
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return true, c.Redirect(http.StatusSeeOther, path)
}

// maxTracked is how many orders one browser follows by cookie. More would make
// every request carry more than proxies accept, and the newest would not be
// looked at.
const maxTracked = 12

// grantTracking lets this browser follow the order, and lets it forget the
// orders that it met first where there are too many. Their links still work.
func (s *Server) grantTracking(c echo.Context, claims tracktoken.Claims, token string) {
	var old []string
	for _, cookie := range c.Request().Cookies() {
		if strings.HasPrefix(cookie.Name, trackCookie) && cookie.Name != trackCookie+claims.Order {
			old = append(old, cookie.Name)
		}
	}
	for i := 0; i <= len(old)-maxTracked; i++ { // browsers send the oldest first
		c.SetCookie(&http.Cookie{Name: old[i], Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode})
	}
	s.setTrackingCookie(c, claims, token)
}

// orderPage does what the pages of an order begin with: the clean address, and
// the state of the order as its newest event tells it. It needs no database.
func (s *Server) orderPage(c echo.Context, path string) (st pageState, done bool, err error) {
	if !eventwire.Orders.ValidID(c.Param("order")) {
		return st, true, newProblem("not_found", "")
	}
	if done, err := s.enter(c, path); done {
		return st, true, err
	}
	st, err = s.readState(c, c.Param("order"))
	return st, err != nil, err
}
