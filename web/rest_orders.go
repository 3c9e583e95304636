package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

// Orders is what the API does with orders. Implemented by *orders.Service.
type Orders interface {
	Draft(merchant string, in orders.NewOrder) (orders.Change, error)
	Place(ctx context.Context, draft orders.Change) error
	Get(ctx context.Context, merchant, id string) (orders.Order, error)
	List(ctx context.Context, merchant string, f orders.Filter) (orders.Page, error)
	Counts(ctx context.Context, merchant string) (orders.Counts, error)
	Cancel(ctx context.Context, merchant, id string, in orders.Cancellation) (orders.Order, error)
	Hold(ctx context.Context, merchant, id string, in orders.Hold) (orders.Order, error)
	Release(ctx context.Context, merchant, id string, in orders.Hold) (orders.Order, error)
	Ship(ctx context.Context, merchant, order string, in orders.NewShipment) (orders.Order, orders.Shipment, error)
	CarrierEvent(ctx context.Context, merchant, shipment string, in orders.CarrierEvent) (orders.Order, orders.Shipment, error)
	RotateToken(ctx context.Context, merchant, id string, ifSequence int64) (orders.Order, error)
}

// Profiles say how a merchant presents itself. Implemented by *apikeys.Service.
type Profiles interface {
	Profile(ctx context.Context, merchant string) (apikeys.Merchant, error)
}

// orderView is an order as REST shows it: what events carry, and beyond it what
// only some may see.
type orderView struct {
	orders.Summary
	WaitsFor      string                 `json:"waits_for"`
	Task          string                 `json:"task"`
	OnHold        bool                   `json:"on_hold"`
	Shipping      bool                   `json:"requires_shipping"`
	Metadata      map[string]string      `json:"metadata,omitempty"`
	TrackingURL   string                 `json:"tracking_url,omitempty"`
	TrackingToken string                 `json:"tracking_token,omitempty"`
	Timeline      []eventwire.Transition `json:"timeline,omitempty"`
}

func (s *Server) createOrder(ctx context.Context, c echo.Context, in newOrderBody) (answer, error) {
	p := principalOf(c)
	shop, err := s.shop(ctx, p.key.Merchant)
	if err != nil {
		return answer{}, err
	}
	items, missing := itemsOf(in.Items)
	draft, err := s.deps.Orders.Draft(p.key.Merchant, orders.NewOrder{
		Reference: in.Reference, Currency: in.Currency, Items: items, ExpiresIn: in.ExpiresIn.duration(),
		Metadata: in.Metadata, Shop: shop, RequiresShipping: in.RequiresShipping,
	})
	if err = alsoMissing(missing, err); err != nil {
		return answer{}, err
	}
	a, err := s.orderAnswer(http.StatusCreated, p, draft.Order)
	if err != nil {
		return answer{}, err
	}
	// Last, because others wait while an order is being written.
	if err := s.deps.Orders.Place(ctx, draft); err != nil {
		return answer{}, err
	}
	return a.at("/v1/orders/" + draft.Order.ID), nil
}

// itemBody is the document's Item. Its amount is a pointer because one that was
// left out is not 0: that would be a gift.
type itemBody struct {
	SKU        string `json:"sku"`
	Name       string `json:"name"`
	Quantity   int64  `json:"quantity"`
	UnitAmount *int64 `json:"unit_amount"`
}

// itemsOf is list for the domain, and the amounts that it lacks.
func itemsOf(list []itemBody) (items []orders.Item, missing []orders.FieldError) {
	for i, item := range list {
		if item.UnitAmount == nil {
			item.UnitAmount = new(int64)
			missing = append(missing, orders.FieldError{Pointer: "/items/" + strconv.Itoa(i) + "/unit_amount", Code: "required", Detail: "must be given; 0 for what is free"})
		}
		items = append(items, orders.Item{SKU: item.SKU, Name: item.Name, Quantity: item.Quantity, UnitAmount: *item.UnitAmount})
	}
	return items, missing
}

// alsoMissing adds what is missing to what the domain found, so that a caller
// learns it all at once.
func alsoMissing(missing []orders.FieldError, err error) error {
	invalid := &orders.InvalidError{}
	if len(missing) == 0 || err != nil && !errors.As(err, &invalid) {
		return err
	}
	return &orders.InvalidError{Fields: append(missing, invalid.Fields...)}
}

func (s *Server) shop(ctx context.Context, merchant string) (orders.Shop, error) {
	if s.deps.Profiles == nil {
		return orders.Shop{}, nil
	}
	m, err := s.deps.Profiles.Profile(ctx, merchant)
	return orders.Shop{Name: m.Name, HelpURL: m.HelpURL, URL: m.ShopURL}, err
}

func (s *Server) getOrder(ctx context.Context, c echo.Context) (answer, error) {
	p, id := principalOf(c), c.Param("id")
	merchantID := p.key.Merchant
	if !p.isMerchant() {
		t, ok := p.token(id)
		if !ok {
			return answer{}, orders.ErrNotFound
		}
		merchantID = t.Merchant
	}
	order, err := s.deps.Orders.Get(ctx, merchantID, id)
	if err != nil {
		return answer{}, err
	}
	if t, ok := p.token(id); ok && t.Epoch != order.TokenEpoch {
		return answer{}, revoked()
	}
	return s.orderAnswer(http.StatusOK, p, order)
}

func (s *Server) listOrders(ctx context.Context, c echo.Context) (answer, error) {
	q, p := c.QueryParams(), principalOf(c)
	f := orders.Filter{
		Status: listOf[orders.Status](q, "status"), PaymentStatus: listOf[orders.PaymentStatus](q, "payment_status"),
		FulfillmentStatus: listOf[orders.FulfillmentStatus](q, "fulfillment_status"), WaitsFor: listOf[orders.Actor](q, "waits_for"),
		Task: listOf[orders.Task](q, "task"), Reference: q.Get("reference"), Query: q.Get("q"), StartingAfter: q.Get("starting_after"),
	}
	var err error
	if f.Limit, err = limitOf(q); err != nil {
		return answer{}, err
	}
	if f.CreatedFrom, err = timeOf(q, "created_from"); err != nil {
		return answer{}, err
	}
	if f.CreatedTo, err = timeOf(q, "created_to"); err != nil {
		return answer{}, err
	}
	page, err := s.deps.Orders.List(ctx, p.key.Merchant, f)
	if err != nil {
		return answer{}, queryProblem(err)
	}
	views := make([]orderView, len(page.Orders))
	for i, o := range page.Orders {
		if views[i], err = s.view(p, o); err != nil {
			return answer{}, err
		}
		views[i].Timeline = nil
	}
	return reply(http.StatusOK, listView[orderView]{Data: views, HasMore: page.HasMore})
}

func (s *Server) cancelOrder(ctx context.Context, c echo.Context, in cancellationBody) (answer, error) {
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	order, err := s.deps.Orders.Cancel(ctx, p.key.Merchant, c.Param("id"), orders.Cancellation{Reason: in.Reason, IfSequence: seq})
	if err != nil {
		return answer{}, err
	}
	return s.orderAnswer(http.StatusOK, p, order)
}

func (s *Server) holdOrder(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	return s.setHold(ctx, c, s.deps.Orders.Hold)
}

func (s *Server) releaseOrder(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	return s.setHold(ctx, c, s.deps.Orders.Release)
}

func (s *Server) setHold(ctx context.Context, c echo.Context, do func(context.Context, string, string, orders.Hold) (orders.Order, error)) (answer, error) {
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	order, err := do(ctx, p.key.Merchant, c.Param("id"), orders.Hold{IfSequence: seq})
	if err != nil {
		return answer{}, err
	}
	return s.orderAnswer(http.StatusOK, p, order)
}

// rotateTrackingToken revokes every tracking token of the order and answers with a new one.
func (s *Server) rotateTrackingToken(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	order, err := s.deps.Orders.RotateToken(ctx, p.key.Merchant, c.Param("id"), seq)
	if err != nil {
		return answer{}, err
	}
	return s.orderAnswer(http.StatusOK, p, order)
}

func (s *Server) orderAnswer(status int, p principal, o orders.Order) (answer, error) {
	v, err := s.view(p, o)
	if err != nil {
		return answer{}, err
	}
	a, err := reply(status, v)
	if err != nil {
		return answer{}, err
	}
	return a.tagged(o.Sequence), nil
}

// view is what p may see of an order. A shopper sees what events carry and the
// timeline: metadata, fresh tokens and the carrier's own words are the merchant's.
func (s *Server) view(p principal, o orders.Order) (orderView, error) {
	waits := o.Waits()
	v := orderView{
		Summary: o.Summary(), WaitsFor: string(waits.For), Task: string(waits.Task), OnHold: o.OnHold, Shipping: o.RequiresShipping,
		Timeline: o.Timeline,
	}
	if !p.isMerchant() {
		return v, nil
	}
	token, err := s.deps.Tokens.Sign(tracktoken.Claims{Merchant: o.Merchant, Order: o.ID, Epoch: o.TokenEpoch})
	if err != nil {
		return orderView{}, err
	}
	for i, shipment := range o.Shipments {
		v.Shipments[i] = shipment.Described()
	}
	v.Metadata, v.TrackingToken = o.Metadata, token
	v.TrackingURL = s.deps.PublicURL + "/track/" + o.ID + "?" + url.Values{"access_token": {token}}.Encode()
	return v, nil
}

func revoked() *problem {
	return unauthorized("The tracking token was revoked. The order's newest link has one that is good.")
}
