package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/orders"
)

// labBody is the transport lab. The lanes and their figures are the script's.
type labBody struct {
	State string
	Lanes []labLane
	Base  string
}

type labLane struct {
	ID, Name, How, Curl                            string
	Direction, Needs, Limits, Resumes, Memory, Use string
}

func labLanes(base string) []labLane {
	feed := base + "/v1/orders/ord_…/events"
	return []labLane{
		{ID: "short", Name: "Short poll", How: "Asks again and again (a tick is a request).", Curl: "curl '" + feed + "?after=3'", Direction: "client asks",
			Needs: "any proxy", Limits: "as late as its interval", Resumes: "?after=", Memory: "none between requests",
			Use: "once a minute is enough, or nothing else gets through"},
		{ID: "long", Name: "Long poll", How: "Asks; the server waits (a bar is a connection held).", Curl: "curl '" + feed + "?after=3&wait=25'", Direction: "client asks",
			Needs: "no short time-outs", Limits: "one request per answer", Resumes: "?after=", Memory: "one waiting request",
			Use: "you wait for one answer, such as a bank's"},
		{ID: "sse", Name: "SSE", How: "One endless answer.", Curl: "curl -N -H 'Accept: text/event-stream' '" + feed + "'", Direction: "server to client",
			Needs: "no buffering", Limits: "6 per browser and host on HTTP/1.1, hence one shared stream", Resumes: "Last-Event-ID", Memory: "one open connection",
			Use: "a page follows something: the default"},
		{ID: "ws", Name: "WebSocket", How: "One open line, both ways.", Curl: "websocat --protocol tracker.v1 'ws://…/events?after=3'", Direction: "both ways",
			Needs: "upgrade allowed", Limits: "no status codes, no compression, no cache", Resumes: "?after=", Memory: "one open connection",
			Use: "the client also talks"},
	}
}

// labPage compares the transports on one clock.
func (s *Server) labPage(c echo.Context) error {
	if !s.labOpen() {
		return newProblem("not_found", "The lab is part of the sandbox.")
	}
	b := labBody{State: "ready", Lanes: labLanes(s.deps.PublicURL), Base: s.deps.PublicURL}
	p := s.english()
	out := page{words: p.words, Title: "Transport lab - Tracker", Brand: "Tracker", BrandURL: "/", Body: b, Scripts: []string{"lab.js"}, Nav: demoNav()}
	return s.render(c, http.StatusOK, "lab", out, pagePolicy{})
}

func (s *Server) labOpen() bool { return s.deps.Sandbox && s.deps.Pages.DemoKey != "" }

// labStart places an order of the lab's own and lets this browser follow it.
func (s *Server) labStart(c echo.Context) error {
	if !s.labOpen() {
		return newProblem("not_found", "")
	}
	a, err := s.callAPI(c, apiCall{Method: http.MethodPost, Path: "/v1/orders", Key: newFormKey(s.now()), Bearer: s.deps.Pages.DemoKey, Body: map[string]any{
		"reference": "lab-" + demoReference(s), "currency": demoCurrency,
		"items": []orders.Item{{SKU: "lab", Name: "A change to watch", Quantity: 1, UnitAmount: 100}}}})
	if err != nil {
		return err
	}
	if !a.ok() {
		return a.problem()
	}
	var made struct {
		ID       string `json:"id"`
		Token    string `json:"tracking_token"`
		Sequence int64  `json:"sequence"`
	}
	if err := json.Unmarshal(a.body, &made); err != nil {
		return err
	}
	claims, err := s.deps.Tokens.Verify(made.Token)
	if err != nil {
		return err
	}
	s.grantTracking(c, claims, made.Token)
	return c.JSON(http.StatusCreated, map[string]any{"order": made.ID, "sequence": made.Sequence})
}

// labChange makes one transition: it puts the order on hold, or releases it.
func (s *Server) labChange(c echo.Context) error {
	id := c.FormValue("order")
	if !s.labOpen() || !eventwire.Orders.ValidID(id) || !s.follows(c, id) {
		return newProblem("not_found", "")
	}
	action := "hold"
	if n, err := strconv.ParseInt(c.FormValue("n"), 10, 64); err == nil && n%2 == 1 {
		action = "release"
	}
	a, err := s.callAPI(c, apiCall{Method: http.MethodPost, Path: "/v1/orders/" + id + "/" + action, Key: newFormKey(s.now()), Bearer: s.deps.Pages.DemoKey})
	if err != nil {
		return err
	}
	if !a.ok() {
		return a.problem()
	}
	var changed struct {
		Sequence int64 `json:"sequence"`
	}
	if err := json.Unmarshal(a.body, &changed); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, changed)
}

// follows reports whether this browser was given the order's token, also while it
// is logged in to the console.
func (s *Server) follows(c echo.Context, order string) bool {
	cookie, err := c.Cookie(trackCookie + order)
	if err != nil {
		return false
	}
	claims, err := s.deps.Tokens.Verify(cookie.Value)
	return err == nil && claims.Order == order
}
