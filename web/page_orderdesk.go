package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
	"tracker/orders"
	"tracker/payments"
)

func newFormKey(now time.Time) string { return eventwire.NewID("form_", now) }

// deskBody is one order for whoever runs the shop: what it waits for, what can
// be done, and the chain that answers why it is in this state.
type deskBody struct {
	State    string
	Done     string
	Order    orderView
	Row      consoleRowView
	Waits    text
	Actions  []deskAction
	Chain    []link
	Parcels  []deskParcel
	Payments []deskPayment
	Attempts []webhooks.Attempt
	Raw      string
}

type deskAction struct{ Label, Href string }

// link is one transition of the chain.
type link struct {
	Seq                  int64
	What, From, To       string
	Ours, Theirs         string
	Cause, Evidence, Ref string
	Said                 string // the carrier's own words
	Gap                  bool
}

type deskParcel struct {
	orders.ShipmentSummary
	Pill statusPill
	Add  string
}

type deskPayment struct {
	payments.Summary
	Pill    statusPill
	Amounts text
	Chain   []link
	Actions []deskAction
}

func (s *Server) consoleOrder(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	o, list, err := s.deskState(c)
	if err != nil {
		return err
	}
	p := s.english()
	b := deskBody{State: "live", Done: c.QueryParam("done"), Order: o, Row: rowOf(p, o), Chain: chainOf(o.Timeline, o.Shipments), Waits: deskWaits(p, o, list)}
	base := "/console/orders/" + o.ID
	b.Actions = orderActions(base, o)
	for _, shipment := range o.Shipments {
		b.Parcels = append(b.Parcels, deskParcel{shipment, pillOf(string(shipment.Status)), base + "/event?shipment=" + shipment.ID})
	}
	for _, v := range list {
		b.Payments = append(b.Payments, deskPayment{Summary: v.Summary, Pill: pillOf(string(v.Status)), Chain: chainOf(v.Timeline, nil),
			Amounts: p.say("m_partially_paid", args{"paid": cash{v.Captured, o.Currency}, "amount": cash{v.Amount, o.Currency}}), Actions: paymentActions(base, v)})
	}
	b.Attempts = s.attemptsAbout(c, o)
	if raw, err := json.Marshal(o); err == nil {
		var pretty bytes.Buffer
		if json.Indent(&pretty, raw, "", "  ") == nil {
			b.Raw = pretty.String()
		}
	}
	out := s.consolePage(c, p, "Order "+o.Reference, b)
	out.Scripts = []string{"console.js"}
	return s.render(c, http.StatusOK, "orderdesk", out, pagePolicy{})
}

// deskState reads an order and its payments, newest payment last.
func (s *Server) deskState(c echo.Context) (orderView, []paymentView, error) {
	var o orderView
	if err := s.readAPI(c, "/v1/orders/"+url.PathEscape(c.Param("order")), &o); err != nil {
		return o, nil, err
	}
	var list []paymentView
	for _, known := range o.Payments[max(0, len(o.Payments)-shownPayments):] {
		var v paymentView
		if err := s.readAPI(c, "/v1/payments/"+known.ID, &v); err != nil {
			return o, nil, err
		}
		list = append(list, v)
	}
	return o, list, nil
}

func deskWaits(p phrases, o orderView, list []paymentView) text {
	waits := text{{Text: "Waits for " + waitsText(o.WaitsFor, o.Task) + "."}}
	if o.WaitsFor == "nobody" {
		waits = text{{Text: "Waits for nobody."}}
	}
	for _, v := range list {
		if v.NextCheckAt == nil {
			continue
		}
		asked := "not asked yet"
		if v.Checks > 0 {
			asked = "asked " + itoa(int64(v.Checks)) + " times"
		}
		return p.fill("Waiting for the bank since {since}; "+asked+"; next check {next}.", args{"since": v.UpdatedAt, "next": *v.NextCheckAt})
	}
	return waits
}

func (s *Server) attemptsAbout(c echo.Context, o orderView) []webhooks.Attempt {
	var endpoints listView[webhooks.Endpoint]
	if s.readAPI(c, "/v1/webhook_endpoints", &endpoints) != nil {
		return nil
	}
	var all []webhooks.Attempt
	for _, e := range endpoints.Data[:min(5, len(endpoints.Data))] {
		var list listView[webhooks.Attempt]
		if s.readAPI(c, "/v1/webhook_endpoints/"+e.ID+"/attempts?limit=20&subject="+o.ID, &list) == nil {
			all = append(all, list.Data...)
		}
	}
	return all
}

// chainOf lists transitions newest first. A hole would be a mistake of ours,
// and is shown as one.
func chainOf(timeline []eventwire.Transition, parcels []orders.ShipmentSummary) []link {
	chain := make([]link, 0, len(timeline))
	for i, t := range timeline {
		l := link{Seq: t.Seq, What: t.Type, From: t.From, To: t.To, Ours: t.At.UTC().Format("2 Jan 15:04:05.000"), Cause: t.Cause, Evidence: t.Evidence,
			Ref: t.Subject, Said: carrierSaid(t, parcels), Gap: t.Seq != int64(i+1)}
		if t.TheirTime != nil {
			l.Theirs = t.TheirTime.UTC().Format("2 Jan 15:04:05")
		}
		chain = append(chain, l)
	}
	slices.Reverse(chain)
	return chain
}

// carrierSaid is the carrier's own words in the report behind a transition.
func carrierSaid(t eventwire.Transition, parcels []orders.ShipmentSummary) string {
	for _, parcel := range parcels {
		for _, scan := range parcel.Events {
			if parcel.ID == t.Subject && t.TheirTime != nil && scan.OccurredAt.Equal(*t.TheirTime) && scan.RecordedAt.Equal(t.At) {
				return scan.Description
			}
		}
	}
	return ""
}

func orderActions(base string, o orderView) []deskAction {
	var list []deskAction
	add := func(label, action string) { list = append(list, deskAction{label, base + "/" + action}) }
	if o.Status == orders.StatusConfirmed && (o.FulfillmentStatus == orders.FulfillmentUnfulfilled || o.FulfillmentStatus == orders.FulfillmentPartiallyFulfilled) {
		add("Ship", "ship")
	}
	if !o.Status.Final() {
		if o.OnHold {
			add("Release", "release")
		} else {
			add("Put on hold", "hold")
		}
		if o.FulfillmentStatus == orders.FulfillmentUnfulfilled || o.FulfillmentStatus == orders.FulfillmentNotRequired || o.FulfillmentStatus == orders.FulfillmentOnHold {
			add("Cancel", "cancel")
		}
	}
	return list
}

func paymentActions(base string, v paymentView) []deskAction {
	var list []deskAction
	add := func(label, action string) {
		list = append(list, deskAction{label, base + "/" + action + "?payment=" + v.ID})
	}
	switch v.Status {
	case payments.StatusAuthorized:
		add("Capture", "capture")
		add("Void", "void")
	case payments.StatusReview, payments.StatusLateSuccess:
		add("Accept", "accept")
		add("Return", "return")
	}
	if v.Captured > v.Refunded+v.RefundPending {
		switch v.Status {
		case payments.StatusCaptured, payments.StatusPartiallyCaptured, payments.StatusPartiallyRefunded:
			add("Refund", "refund")
		}
	}
	return list
}

// confirmBody states the consequences of an action before it is done. The same
// page is the dialog of the script.
type confirmBody struct {
	State        string
	Title        string
	Consequences []text
	Fields       []formField
	Hidden       map[string]string
	Button       string
	Path, Back   string
	Problem      string
	Errors       []string
}

type formField struct {
	Name, Label, Value, Type, Hint string
	Options                        []string
	Required                       bool
}

func (s *Server) consoleConfirm(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	b, err := s.confirmation(c)
	if err != nil {
		return err
	}
	return s.showConfirm(c, http.StatusOK, b)
}

func (s *Server) showConfirm(c echo.Context, status int, b confirmBody) error {
	return s.render(c, status, "confirm", s.consolePage(c, s.english(), b.Title, b), pagePolicy{})
}

// consoleAct does an action through the public API, with the sequence that the
// person saw: what changed meanwhile is not acted upon.
func (s *Server) consoleAct(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	call, err := actionCall(c)
	if err != nil {
		return err
	}
	a, err := s.callAPI(c, call)
	if err != nil {
		return err
	}
	if a.ok() {
		return c.Redirect(http.StatusSeeOther, "/console/orders/"+url.PathEscape(c.Param("order"))+"?done="+url.QueryEscape(c.Param("action")))
	}
	p := a.problem()
	if p.Status == http.StatusUnauthorized {
		return s.showLogin(c, http.StatusUnauthorized, "signed_out")
	}
	b, err := s.confirmation(c)
	if err != nil {
		return err
	}
	b.State, b.Problem = "refused", p.Title+". Nothing was done."
	if p.Status == http.StatusConflict {
		b.State = "conflict"
		b.Problem = "This order changed: " + b.Hidden["state"] + ". Nothing was done. " + p.Detail
	}
	for _, f := range p.Errors {
		b.Errors = append(b.Errors, strings.TrimPrefix(f.Pointer, "/")+" "+f.Detail)
	}
	for i, f := range b.Fields {
		if v := c.FormValue(f.Name); v != "" {
			b.Fields[i].Value = v
		}
	}
	return s.showConfirm(c, p.Status, b)
}
