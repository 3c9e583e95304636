package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/orders"
)

// consoleRoutes are the merchant's pages. They speak English: their reader is
// whoever integrates.
func (s *Server) consoleRoutes(get, post func(string, echo.HandlerFunc)) {
	get("/console", s.consoleList)
	get("/console/counters", s.consoleCounters)
	get("/console/rows/:order", s.consoleRow)
	get("/console/orders/:order", s.consoleOrder)
	get("/console/orders/:order/:action", s.consoleConfirm)
	post("/console/orders/:order/:action", s.consoleAct)
	get("/console/webhooks", s.consoleWebhooks)
	post("/console/webhooks", s.consoleWebhookAct)
	post("/console/login", s.consoleLogin)
	post("/console/logout", s.consoleLogout)
}

// consolePage is the frame of the console's pages.
func (s *Server) consolePage(c echo.Context, p phrases, title string, body any) page {
	nav := []navLink{{Text: "Orders", Href: "/console"}, {Text: "Webhooks", Href: "/console/webhooks"}, {Text: "Docs", Href: "/docs"}}
	for i, l := range nav {
		nav[i].Current = l.Href == c.Request().URL.Path
	}
	return page{words: p.words, Title: title + " - Console", Brand: "Tracker console", BrandURL: "/console", Nav: nav, Body: body}
}

// english is what the console says, whatever the browser prefers.
func (s *Server) english() phrases { return phrases{s.site.words["en"], s.now().UTC()} }

// merchantOnly reports whether a merchant is logged in; if not, it has answered
// with the login.
func (s *Server) merchantOnly(c echo.Context) (bool, error) {
	if principalOf(c).isMerchant() {
		return true, nil
	}
	return false, s.showLogin(c, http.StatusUnauthorized, "login")
}

type loginBody struct{ State, Next, Sandbox string }

func (s *Server) showLogin(c echo.Context, status int, state string) error {
	b := loginBody{State: state, Next: localPath(c.FormValue("next"), c.Request().URL.RequestURI())}
	if s.deps.Sandbox {
		b.Sandbox = s.deps.Pages.DemoKey
	}
	p := s.consolePage(c, s.english(), "Log in", b)
	p.Nav = nil
	return s.render(c, status, "login", p, pagePolicy{})
}

// localPath keeps a redirect on our own console.
func localPath(wish, otherwise string) string {
	for _, path := range []string{wish, otherwise} {
		if u, err := url.Parse(path); err == nil && u.Host == "" && u.Scheme == "" && (u.Path == "/console" || strings.HasPrefix(u.Path, "/console/")) &&
			!strings.HasPrefix(u.Path, "/console/log") && !strings.Contains(path, "\\") {
			return path
		}
	}
	return "/console"
}

func (s *Server) consoleLogin(c echo.Context) error {
	key, err := s.deps.Keys.Verify(c.Request().Context(), strings.TrimSpace(c.FormValue("key")))
	if err != nil {
		if toProblem(err).Status != http.StatusUnauthorized {
			return err
		}
		return s.showLogin(c, http.StatusUnauthorized, "login_failed")
	}
	if err := s.startSession(c, key); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, localPath(c.FormValue("next"), "/console"))
}

func (s *Server) consoleLogout(c echo.Context) error {
	s.endSession(c)
	return c.Redirect(http.StatusSeeOther, "/console")
}

// consoleFilter is one of the lists above the table.
type consoleFilter struct {
	Name, Label string
	Query       url.Values
	Count       int64
	Current     bool
}

func consoleFilters(n orders.Counts) []consoleFilter {
	problems := n.Task[orders.TaskReview] + n.Task[orders.TaskRelease] + n.Task[orders.TaskLook]
	return []consoleFilter{
		{Name: "all", Label: "All", Query: url.Values{}, Count: n.Total},
		{Name: "needs", Label: "Needs you", Query: url.Values{"waits_for": {"merchant"}}, Count: n.WaitsFor[orders.ActorMerchant]},
		{Name: "bank", Label: "Waiting for bank", Query: url.Values{"waits_for": {"bank"}}, Count: n.WaitsFor[orders.ActorBank]},
		{Name: "ship", Label: "To ship", Query: url.Values{"task": {"ship"}}, Count: n.Task[orders.TaskShip]},
		{Name: "problems", Label: "Problems", Query: url.Values{"task": {"review,release,look"}}, Count: problems},
	}
}

type listBody struct {
	State   string
	AsOf    text
	Search  string
	View    string
	Filters []consoleFilter
	Figures figures
	Rows    []consoleRowView
	Next    string // the next page, if there is one
	Newest  bool   // this is the first page: new orders belong here
}

type figures struct {
	Known    bool
	Counters Counters
	Watching int64
	Lines    []figure
}

type figure struct {
	Name  string
	Count int64
}

func (s *Server) consoleList(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	p, q := s.english(), url.Values{"limit": {"50"}}
	b := listBody{State: "live", AsOf: p.say("as_of", args{"at": p.now}), Search: strings.TrimSpace(c.QueryParam("q")), View: c.QueryParam("view"), Newest: c.QueryParam("after") == ""}
	counts := s.orderCounts(c)
	b.Filters = consoleFilters(counts)
	chosen := 0
	for i, f := range b.Filters {
		if f.Name == b.View {
			chosen = i
		}
	}
	b.Filters[chosen].Current = true
	b.View = b.Filters[chosen].Name
	for k, v := range b.Filters[chosen].Query {
		q[k] = v
	}
	setQuery(q, "q", b.Search)
	setQuery(q, "starting_after", c.QueryParam("after"))
	list, err := s.findOrders(c, q)
	if err != nil {
		return err
	}
	for _, o := range list.Data {
		b.Rows = append(b.Rows, rowOf(p, o))
	}
	switch {
	case len(b.Rows) == 0 && counts.Total == 0:
		b.State = "empty"
	case len(b.Rows) == 0:
		b.State = "no_match"
	}
	if list.HasMore {
		b.Next = "/console?" + url.Values{"view": {b.View}, "q": {b.Search}, "after": {list.Data[len(list.Data)-1].ID}}.Encode()
	}
	b.Figures = s.figures(c)
	out := s.consolePage(c, p, b.Filters[chosen].Label, b)
	out.Scripts = []string{"console.js"}
	return s.render(c, http.StatusOK, "console", out, pagePolicy{})
}

// findOrders reads a list. What matches no order's own words may be what the
// provider calls one of its payments.
func (s *Server) findOrders(c echo.Context, q url.Values) (listView[orderView], error) {
	var list listView[orderView]
	if err := s.readAPI(c, "/v1/orders?"+q.Encode(), &list); err != nil || len(list.Data) > 0 || q.Get("q") == "" {
		return list, err
	}
	var named listView[paymentView]
	if err := s.readAPI(c, "/v1/payments?"+url.Values{"reference": {q.Get("q")}}.Encode(), &named); err != nil || len(named.Data) == 0 {
		return list, err
	}
	q.Set("q", named.Data[0].OrderID)
	return list, s.readAPI(c, "/v1/orders?"+q.Encode(), &list)
}

func setQuery(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// readAPI reads a resource of the public API as the person in front of the page.
func (s *Server) readAPI(c echo.Context, path string, into any) error {
	a, err := s.callAPI(c, apiCall{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	if !a.ok() {
		return a.problem()
	}
	return json.Unmarshal(a.body, into)
}

func (s *Server) orderCounts(c echo.Context) orders.Counts {
	if s.deps.Orders == nil {
		return orders.Counts{}
	}
	n, err := s.deps.Orders.Counts(c.Request().Context(), principalOf(c).key.Merchant)
	if err != nil {
		s.log.WarnContext(c.Request().Context(), "console counts", "error", err)
	}
	return n
}

func (s *Server) figures(c echo.Context) figures {
	if s.deps.Pages.Counters == nil {
		return figures{}
	}
	n, err := s.deps.Pages.Counters(c.Request().Context())
	if err != nil {
		s.log.WarnContext(c.Request().Context(), "console counters", "error", err)
		return figures{}
	}
	f := figures{Known: true, Counters: n}
	for _, name := range []string{"sse", "websocket", "long-poll", "short-poll"} {
		f.Lines = append(f.Lines, figure{name, n.Watching[name]})
	}
	for _, w := range n.Watching {
		f.Watching += w
	}
	return f
}

// consoleCounters is the bar of figures again, for the script.
func (s *Server) consoleCounters(c echo.Context) error {
	if !principalOf(c).isMerchant() {
		return unauthorized("Sign in again.")
	}
	n := s.orderCounts(c)
	return s.fragment(c, "console", "figures", listBody{Filters: consoleFilters(n), Figures: s.figures(c)})
}

// consoleRow is one row again, for the script: as table row and as card.
func (s *Server) consoleRow(c echo.Context) error {
	if !principalOf(c).isMerchant() {
		return unauthorized("Sign in again.")
	}
	var o orderView
	if err := s.readAPI(c, "/v1/orders/"+url.PathEscape(c.Param("order")), &o); err != nil {
		return err
	}
	return s.fragment(c, "console", "rows", []consoleRowView{rowOf(s.english(), o)})
}

// fragment answers with a part of a page.
func (s *Server) fragment(c echo.Context, name, part string, data any) error {
	var b strings.Builder
	if err := s.site.templates[name].ExecuteTemplate(&b, part, data); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.HTML(http.StatusOK, b.String())
}

// statusPill is a state as icon, word and colour.
type statusPill struct{ Tone, Text string }

func pillOf(state string) statusPill {
	tone := "done"
	switch state {
	case "paid", "delivered", "completed", "refunded", "captured", "succeeded":
		tone = "good"
	case "pending_payment", "action_required", "processing", "authorized", "requires_action", "partially_fulfilled", "fulfilled", "partially_paid",
		"in_transit", "picked_up", "out_for_delivery", "available_for_pickup", "pending", "requested", "refund_pending", "partially_captured":
		tone = "active"
	case "review", "on_hold", "overpaid", "unknown", "late_success", "delayed", "delivery_attempted", "partially_returned", "returned", "returned_to_sender":
		tone = "warn"
	case "failed", "reversed", "lost", "exception":
		tone = "bad"
	}
	return statusPill{tone, strings.ReplaceAll(state, "_", " ")}
}

// consoleRowView is one order in the list.
type consoleRowView struct {
	ID, Reference               string
	Placed, Amount, Changed     text
	Order, Payment, Fulfillment statusPill
	Waits                       string
	What                        string // the last change
	You                         bool
}

func rowOf(p phrases, o orderView) consoleRowView {
	r := consoleRowView{
		ID: o.ID, Reference: o.Reference, Placed: p.value(o.CreatedAt, "moment"), Changed: p.value(o.UpdatedAt, "moment"),
		Amount: p.value(cash{o.Amount, o.Currency}, ""), Order: pillOf(string(o.Status)), Payment: pillOf(string(o.PaymentStatus)),
		Fulfillment: pillOf(string(o.FulfillmentStatus)), You: o.WaitsFor == "merchant",
	}
	r.Waits, r.What = waitsText(o.WaitsFor, o.Task), lastChange(o)
	return r
}

// lastChange names what changed last: the payment or the parcel that is as young
// as the order itself, else the order.
func lastChange(o orderView) string {
	what, at := string(o.Status), o.CreatedAt
	for _, p := range o.Payments {
		if !p.UpdatedAt.Before(at) {
			what, at = p.Status, p.UpdatedAt
		}
	}
	for _, s := range o.Shipments {
		if !s.UpdatedAt.Before(at) {
			what, at = string(s.Status), s.UpdatedAt
		}
	}
	if o.UpdatedAt.Sub(at) > time.Second { // younger than all parts: it was the order's own
		what = string(o.Status)
	}
	return strings.ReplaceAll(what, "_", " ")
}

func waitsText(who, task string) string {
	switch who {
	case "merchant":
		return "you: " + task
	case "nobody", "":
		return "nobody"
	}
	return who + ": " + task
}
