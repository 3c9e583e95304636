package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/orders"
	"tracker/payments/money"
)

// confirmation builds the page of an action from the newest state, so that its
// sentences and its sequence belong together.
func (s *Server) confirmation(c echo.Context) (confirmBody, error) {
	o, list, err := s.deskState(c)
	if err != nil {
		return confirmBody{}, err
	}
	w := consequences{phrases: s.english(), order: o, late: s.site.settings.LateSuccess}
	for _, v := range list {
		if v.ID == c.FormValue("payment") {
			w.payment = v
		}
	}
	for _, v := range o.Shipments {
		if v.ID == c.FormValue("shipment") {
			w.shipment = v
		}
	}
	b, ok := w.of(c.Param("action"))
	if !ok {
		return confirmBody{}, newProblem("not_found", "")
	}
	b.State, b.Back = "confirm", "/console/orders/"+o.ID
	b.Path = b.Back + "/" + c.Param("action")
	sequence := o.Sequence
	if w.payment.ID != "" {
		sequence = w.payment.Sequence
	}
	b.Hidden = map[string]string{"key": newFormKey(s.now()), "sequence": itoa(sequence), "payment": w.payment.ID, "shipment": w.shipment.ID,
		"currency": o.Currency, "state": strings.ReplaceAll(string(o.Status)+", "+string(o.PaymentStatus), "_", " ")}
	return b, nil
}

// consequences say what an action does, before it is done.
type consequences struct {
	phrases
	order    orderView
	payment  paymentView
	shipment orders.ShipmentSummary
	late     string
}

func (w consequences) sum(minor int64) cash { return cash{minor, w.order.Currency} }

func (w consequences) major(minor int64) string {
	return money.Amount{Minor: minor, Currency: money.Currency(w.order.Currency)}.Format()
}

func (w consequences) tell(template string, a args) text { return w.fill(template, a) }

func (w consequences) of(action string) (confirmBody, bool) {
	switch action {
	case "cancel", "hold", "release", "ship":
		return w.ofOrder(action), true
	case "capture", "void", "refund", "accept", "return":
		return w.ofPayment(action), w.payment.ID != ""
	case "event":
		return w.ofShipment(), w.shipment.ID != ""
	}
	return confirmBody{}, false
}

func (w consequences) ofOrder(action string) confirmBody {
	ref := w.order.Reference
	var captured int64
	for _, p := range w.order.Payments {
		captured += p.Captured - p.Refunded
	}
	switch action {
	case "ship":
		return confirmBody{Title: "Ship order " + ref, Button: "Mark as shipped",
			Consequences: []text{w.tell("The shopper sees carrier and number at once.", nil), w.tell("Everything that was not shipped yet is in this parcel, unless you change the numbers.", nil)},
			Fields: append([]formField{{Name: "carrier", Label: "Carrier", Required: true}, {Name: "tracking_number", Label: "Tracking number", Required: true},
				{Name: "estimated_from", Label: "Expected from", Type: "date"}, {Name: "estimated_to", Label: "Expected to", Type: "date"}}, w.pieces()...)}
	case "hold":
		return confirmBody{Title: "Put order " + ref + " on hold", Button: "Put on hold", Consequences: []text{w.tell("The shopper sees 'On hold'. Nothing can be shipped until you release it.", nil)}}
	case "release":
		return confirmBody{Title: "Release order " + ref, Button: "Release order " + ref, Consequences: []text{w.tell("The order goes on where it was. The shopper sees it at once.", nil)}}
	}
	b := confirmBody{Title: "Cancel order " + ref, Button: "Cancel order " + ref, Fields: []formField{{Name: "reason", Label: "Reason (for you)"}}}
	if captured > 0 {
		b.Button = "Cancel and refund " + w.value(w.sum(captured), "").String()
		b.Consequences = []text{w.tell("{amount} was captured and is refunded in full. The shopper sees 'Refund on its way'. This cannot be undone.", args{"amount": w.sum(captured)})}
		return b
	}
	late := "it is refunded in full"
	switch w.late {
	case "hold":
		late = "you decide"
	case "accept":
		late = "it is accepted"
	}
	b.Consequences = []text{w.tell("The shopper sees 'Order cancelled' at once. If their bank approves a payment later, "+late+". This cannot be undone.", nil)}
	return b
}

// pieces are the fields for how many of each thing go into the parcel.
func (w consequences) pieces() []formField {
	left := map[string]int64{}
	for _, p := range w.order.Shipments {
		if p.Status != orders.ShipmentCancelled && p.Status != orders.ShipmentLost {
			for _, item := range p.Items {
				left[item.SKU] -= item.Quantity
			}
		}
	}
	var list []formField
	for _, item := range w.order.Items {
		n := item.Quantity + left[item.SKU]
		if n > 0 {
			list = append(list, formField{Name: "qty_" + item.SKU, Label: item.Name, Value: itoa(n), Type: "number", Hint: "of " + itoa(n)})
		}
	}
	return list
}

func (w consequences) ofPayment(action string) confirmBody {
	v := w.payment
	amount := func(minor int64) formField {
		return formField{Name: "amount", Label: "Amount in " + w.order.Currency, Value: w.major(minor), Hint: "at most " + w.major(minor), Required: true}
	}
	all := args{"amount": w.sum(v.Amount), "captured": w.sum(v.Captured), "left": w.sum(v.Captured - v.Refunded - v.RefundPending)}
	switch action {
	case "capture":
		return confirmBody{Title: "Capture", Button: "Capture", Fields: []formField{amount(v.Amount - v.Captured)},
			Consequences: []text{w.tell("Takes the amount below from the {amount} reserved in the shopper's account. What you leave stays reserved until it is released.", all)}}
	case "void":
		return confirmBody{Title: "Void", Button: "Release " + w.value(all["amount"], "").String(),
			Consequences: []text{w.tell("Releases the reserved {amount}. The order can no longer be paid with it.", all)}}
	case "accept":
		return confirmBody{Title: "Accept the payment", Button: "Accept",
			Consequences: []text{w.tell("What the bank reported counts as paid. If it is less than the order costs, the rest is still owed.", all)}}
	case "return":
		return confirmBody{Title: "Return the payment", Button: "Return",
			Consequences: []text{w.tell("The money goes back, and the shopper can pay again while the order is open.", all)}}
	}
	return confirmBody{Title: "Refund", Button: "Refund", Fields: []formField{amount(v.Captured - v.Refunded - v.RefundPending), {Name: "reason", Label: "Reason (for you)"}},
		Consequences: []text{w.tell("The amount below goes back; {left} can be refunded. Sent to the bank now; it cannot be called back.", all)}}
}

func (w consequences) ofShipment() confirmBody {
	var states []string
	for _, status := range orders.ShipmentStatuses() {
		states = append(states, string(status))
	}
	return confirmBody{Title: "Add a carrier event", Button: "Add event",
		Consequences: []text{w.tell("Shown with the carrier's time. An older event does not move the headline.", nil)},
		Fields: []formField{{Name: "status", Label: "Status", Options: states, Value: "in_transit"}, {Name: "occurred_at", Label: "When (UTC)", Type: "datetime-local"},
			{Name: "location", Label: "Town"}, {Name: "description", Label: "The carrier's words (only you see them)"},
			{Name: "estimated_from", Label: "Expected from", Type: "date"}, {Name: "estimated_to", Label: "Expected to", Type: "date"}}}
}

// actionCall turns a confirmed form into the operation of the API.
func actionCall(c echo.Context) (apiCall, error) {
	order, pay := "/v1/orders/"+url.PathEscape(c.Param("order")), "/v1/payments/"+url.PathEscape(c.FormValue("payment"))
	call := apiCall{Method: http.MethodPost, Key: c.FormValue("key"), Match: c.FormValue("sequence"), Body: map[string]any{}}
	if call.Match != "" {
		call.Match = `"` + call.Match + `"`
	}
	body := map[string]any{}
	switch action := c.Param("action"); action {
	case "cancel":
		call.Path = order + "/cancel"
		fill(body, c, "reason")
	case "hold", "release":
		call.Path = order + "/" + action
	case "ship":
		call.Path = order + "/shipments"
		fill(body, c, "carrier", "tracking_number", "estimated_from", "estimated_to")
		if items := shippedItems(c); len(items) > 0 {
			body["items"] = items
		}
	case "event":
		call.Path = "/v1/shipments/" + url.PathEscape(c.FormValue("shipment")) + "/events"
		fill(body, c, "status", "location", "description", "estimated_from", "estimated_to")
		if at, err := time.Parse("2006-01-02T15:04", c.FormValue("occurred_at")); err == nil {
			body["occurred_at"] = at.UTC()
		}
	case "capture", "void":
		call.Path = pay + "/" + action
	case "accept", "return":
		call.Path, body["decision"] = pay+"/review", action
	case "refund":
		call.Path, call.Match = "/v1/refunds", ""
		body["payment_id"] = c.FormValue("payment")
		fill(body, c, "reason")
	default:
		return call, newProblem("not_found", "")
	}
	if wanted := strings.TrimSpace(c.FormValue("amount")); wanted != "" {
		amount, err := money.Parse(wanted, money.Currency(c.FormValue("currency")))
		if err != nil {
			return call, invalidField("/amount", "invalid", "must be an amount such as 10.00")
		}
		body["amount"] = amount.Minor
	}
	call.Body = body
	return call, nil
}

// fill copies the fields that were filled in.
func fill(body map[string]any, c echo.Context, names ...string) {
	for _, name := range names {
		if v := strings.TrimSpace(c.FormValue(name)); v != "" {
			body[name] = v
		}
	}
}

func shippedItems(c echo.Context) []map[string]any {
	var items []map[string]any
	form, err := c.FormParams()
	if err != nil {
		return nil
	}
	for name := range form {
		sku, ok := strings.CutPrefix(name, "qty_")
		if n, err := parseCount(form.Get(name)); ok && err == nil && n > 0 {
			items = append(items, map[string]any{"sku": sku, "quantity": n})
		}
	}
	slices.SortFunc(items, func(a, b map[string]any) int { return strings.Compare(a["sku"].(string), b["sku"].(string)) })
	return items
}

func parseCount(s string) (int64, error) {
	return strconv.ParseInt(strings.TrimSpace(s), 10, 64)
}
