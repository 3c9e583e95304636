package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
)

const (
	firstEntries = 4  // of what happened, before the rest is folded away
	trackReload  = 60 // seconds, without script
	// shownPayments bounds the payments that a page reads details of.
	shownPayments = 10
)

// trackBody is the order page as its template wants it.
type trackBody struct {
	trackView
	First, Older []entry
	ShowAll      text
	TotalWord    string
	orderFoot
}

// orderFoot is the end of every page about an order.
type orderFoot struct {
	HelpURL, HelpWord string
	ShopURL, BackWord string
	AsOf              text
}

// readState reads the order's newest event, and its payments' for the details
// that only they have. A payment that cannot be read is shown by what the order
// knows of it.
func (s *Server) readState(c echo.Context, id string) (pageState, error) {
	if s.deps.Feeds == nil {
		return pageState{}, newProblem("unavailable", "")
	}
	a, err := s.access(c, eventwire.Orders, id)
	if err != nil {
		return pageState{}, err
	}
	ctx := c.Request().Context()
	e, err := s.deps.Feeds.Newest(ctx, a)
	if err != nil {
		return pageState{}, err
	}
	st := pageState{Timeline: e.Timeline, Closed: e.Closed, Payments: map[string]paymentState{}, Settings: s.site.settings, merchant: e.Merchant}
	if err := json.Unmarshal(e.Resource, &st.Order); err != nil {
		return pageState{}, err
	}
	list := st.Order.Payments
	for _, p := range list[max(0, len(list)-shownPayments):] {
		a.Key.Kind, a.Key.ID = eventwire.Payments, p.ID
		pe, err := s.deps.Feeds.Newest(ctx, a)
		if err != nil {
			s.log.DebugContext(ctx, "payment of a page not readable", "payment", p.ID, "error", err)
			continue
		}
		known := paymentState{Timeline: pe.Timeline}
		if err := json.Unmarshal(pe.Resource, &known.Payment); err == nil {
			st.Payments[p.ID] = known
		}
	}
	return st, nil
}

// trackPage shows where the order is. It is complete as it is; the script only
// keeps it fresh.
func (s *Server) trackPage(c echo.Context) error {
	id := c.Param("order")
	st, done, err := s.orderPage(c, "/track/"+id)
	if done {
		return err
	}
	p := s.phrases(c)
	d := describer{p, st}
	v := d.trackView()
	body := trackBody{trackView: v, First: v.Log, TotalWord: p.get("h_total"), orderFoot: d.foot()}
	if len(v.Log) > firstEntries {
		body.First, body.Older = v.Log[:firstEntries], v.Log[firstEntries:]
		body.ShowAll = p.count("show_all", int64(len(v.Log)), nil)
	}
	out, err := s.shopperPage(d, "order.js", body)
	if err != nil {
		return err
	}
	out.Title, out.Preview = d.title(v.headline), true
	if !st.Closed {
		out.reloadEvery(c, trackReload)
	}
	return s.render(c, http.StatusOK, "track", out, pagePolicy{})
}

// shopperPage is what the pages of an order have in common.
func (s *Server) shopperPage(d describer, script string, body any) (page, error) {
	data := struct {
		pageState
		Lang string `json:"lang"`
	}{d.pageState, d.lang}
	block, err := dataBlock("state", data)
	if err != nil {
		return page{}, err
	}
	shop := d.Order.Shop
	brand := shop.Name
	if brand == "" {
		brand = "Tracker"
	}
	return page{
		words: d.words, Brand: brand, BrandURL: shop.URL, Ref: d.say("order_n", args{"ref": name(d.Order.Reference)}).String(),
		State: block, Scripts: []string{script}, Body: body,
	}, nil
}

// reloadEvery keeps the page of a browser without script fresh, and lets its
// reader stop that.
func (p *page) reloadEvery(c echo.Context, seconds int) {
	u := *c.Request().URL
	q := u.Query()
	p.Reload = true
	if q.Get("reload") != "off" && c.Request().Method == http.MethodGet {
		p.Refresh = seconds
	}
	q.Del("reload")
	u.RawQuery = q.Encode()
	p.With = u.RequestURI()
	q.Set("reload", "off")
	u.RawQuery = q.Encode()
	p.Without = u.RequestURI()
}

func (d describer) foot() orderFoot {
	f := orderFoot{HelpURL: d.Order.Shop.HelpURL, ShopURL: d.Order.Shop.URL, BackWord: d.get("back_to_shop"), AsOf: d.say("as_of", args{"at": d.now})}
	if f.HelpURL != "" {
		f.HelpWord = d.get("help")
	}
	return f
}

// Track is the label of the link to a carrier's own page.
func (p page) Track(carrier string) string {
	return phrases{words: p.words}.say("track_at", args{"carrier": name(carrier)}).String()
}

// ReloadNote says how often a page without script reloads itself.
func (p page) ReloadNote() string {
	return phrases{words: p.words}.say("reload_note", args{"n": p.Refresh}).String()
}

// Less, More and Qty name the controls of one thing in the demo shop.
func (p page) Less(what string) string { return p.about("shop_less", what) }

// More names the button for one more.
func (p page) More(what string) string { return p.about("shop_more", what) }

// Qty names the field for how many.
func (p page) Qty(what string) string { return p.about("shop_qty", what) }

func (p page) about(key, what string) string {
	return phrases{words: p.words}.say(key, args{"name": name(what)}).String()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
