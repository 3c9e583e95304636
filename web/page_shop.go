package web

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/orders"
)

// ware is one thing that the demo shop sells. One of them has a name that is
// hard to show, so that the hard case is always on screen.
type ware struct {
	SKU, Name string
	Amount    int64
	Picture   template.HTML
	Quantity  int64
	Price     text
}

const (
	demoCurrency = "EUR"
	maxPieces    = 9
)

func wares() []ware {
	return []ware{
		{SKU: "mug", Name: "Mug", Amount: 1500, Quantity: 2, Picture: `<path d="M26 26h38v34a10 10 0 0 1-10 10H36a10 10 0 0 1-10-10z"/><path d="M64 34h6a8 8 0 0 1 0 18h-6"/><path d="M36 18c0-5 5-5 5-10M50 18c0-5 5-5 5-10"/>`},
		{SKU: "plate", Name: "Plate", Amount: 1198, Quantity: 1, Picture: `<ellipse cx="48" cy="46" rx="34" ry="20"/><ellipse cx="48" cy="44" rx="20" ry="11"/>`},
		{SKU: "bowl", Name: "وعاء خزفي أزرق 🥣", Amount: 1900, Picture: `<path d="M14 36h68a34 30 0 0 1-22 30H36a34 30 0 0 1-22-30z"/><path d="M38 66h20v6H38z"/>`},
	}
}

type shopBody struct {
	State   string
	Wares   []ware
	Total   text
	Key     string
	Problem string
	Fields  []string
	Off     bool
}

// shopPage is the demo shop: an order in one screen.
func (s *Server) shopPage(c echo.Context) error {
	if !s.deps.Sandbox || s.deps.Pages.DemoKey == "" {
		return s.showShop(c, http.StatusOK, shopBody{State: "sandbox_off", Off: true})
	}
	return s.showShop(c, http.StatusOK, shopBody{State: "ready", Wares: wares()})
}

func (s *Server) showShop(c echo.Context, status int, b shopBody) error {
	p := s.phrases(c)
	sum := int64(0)
	for i, w := range b.Wares {
		b.Wares[i].Price = p.value(cash{w.Amount, demoCurrency}, "")
		sum += w.Amount * w.Quantity
	}
	b.Total, b.Key = p.value(cash{sum, demoCurrency}, ""), eventwire.NewID("", s.now())
	block, err := dataBlock("state", map[string]any{"lang": p.lang, "currency": demoCurrency})
	if err != nil {
		return err
	}
	out := page{words: p.words, Title: p.get("shop_title") + " - Kiln & Clay", Brand: "Kiln & Clay", BrandURL: "/", Body: b, State: block, Scripts: []string{"shop.js"}, Nav: demoNav()}
	if b.Off {
		out.Title, out.Brand, out.Scripts = "Tracker", "Tracker", nil
	}
	return s.render(c, status, "shop", out, pagePolicy{})
}

func demoNav() []navLink {
	return []navLink{{Text: "Console", Href: "/console"}, {Text: "Lab", Href: "/lab"}, {Text: "Docs", Href: "/docs"}}
}

// placeDemoOrder places an order as the demo merchant, as any shop's server
// would, and hands the shopper the order's token by cookie.
func (s *Server) placeDemoOrder(c echo.Context) error {
	if !s.deps.Sandbox || s.deps.Pages.DemoKey == "" {
		return newProblem("not_found", "")
	}
	p, body := s.phrases(c), shopBody{State: "ready", Wares: wares()}
	items := []orders.Item{}
	for i, w := range body.Wares {
		n, err := strconv.ParseInt(c.FormValue("qty_"+w.SKU), 10, 64)
		if err != nil || n < 0 || n > maxPieces {
			n = 0
		}
		body.Wares[i].Quantity = n
		if n > 0 {
			items = append(items, orders.Item{SKU: w.SKU, Name: w.Name, Quantity: n, UnitAmount: w.Amount})
		}
	}
	if len(items) == 0 {
		body.State, body.Problem = "empty", p.get("shop_empty")
		return s.showShop(c, http.StatusUnprocessableEntity, body)
	}
	a, err := s.callAPI(c, apiCall{Method: http.MethodPost, Path: "/v1/orders", Key: c.FormValue("key"), Bearer: s.deps.Pages.DemoKey,
		Body: map[string]any{"reference": demoReference(s), "currency": demoCurrency, "items": items}})
	if err != nil {
		return err
	}
	if !a.ok() {
		return s.orderRefused(c, body, a)
	}
	var made struct {
		ID    string `json:"id"`
		Token string `json:"tracking_token"`
	}
	if err := json.Unmarshal(a.body, &made); err != nil {
		return err
	}
	claims, err := s.deps.Tokens.Verify(made.Token)
	if err != nil {
		return err
	}
	s.grantTracking(c, claims, made.Token)
	return c.Redirect(http.StatusSeeOther, "/checkout/"+made.ID)
}

func (s *Server) orderRefused(c echo.Context, body shopBody, a apiAnswer) error {
	p := s.phrases(c)
	body.State, body.Problem = "down", p.get("shop_down")
	if a.status < http.StatusInternalServerError && a.status != http.StatusTooManyRequests {
		body.State, body.Problem = "refused", p.get("shop_refused")
		for _, f := range a.problem().Errors {
			body.Fields = append(body.Fields, f.Pointer+": "+f.Detail)
		}
	}
	return s.showShop(c, a.status, body)
}

// demoReference is what a shop would call its order: short, and different
// enough within a day.
func demoReference(s *Server) string {
	return strconv.FormatInt(s.now().UnixMilli()/100%1_000_000+1_000_000, 10)[1:]
}
