package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
	"tracker/payments"
)

const checkoutReload = 10 // seconds, while something is awaited without script

// checkoutBody is the checkout as its template wants it.
type checkoutBody struct {
	checkoutView
	ID        string
	Key       string // the idempotency key of the next press
	Rest      string
	Alert     bool // an error in what the person just did
	Count     text
	TotalWord string
	orderFoot
}

// checkoutPage lets a shopper pay, and says how it went.
func (s *Server) checkoutPage(c echo.Context) error {
	id := c.Param("order")
	st, done, err := s.orderPage(c, "/checkout/"+id)
	if done {
		return err
	}
	v := visit{FromBank: c.QueryParam("from") == "bank", At: s.cameBack(c)}
	if v.FromBank && v.At.IsZero() {
		// The moment of the return goes into the address, so that a reload does not
		// make the wait look shorter. It chooses words and nothing else.
		to := "/checkout/" + id + "?from=bank&at=" + itoa(s.now().Unix())
		s.nudge(c.Request().Context(), describer{phrases{now: s.now()}, st})
		return c.Redirect(http.StatusSeeOther, to)
	}
	return s.showCheckout(c, http.StatusOK, st, v)
}

// cameBack reads when the shopper came back from the bank, if that is credible.
func (s *Server) cameBack(c echo.Context) time.Time {
	seconds, err := strconv.ParseInt(c.QueryParam("at"), 10, 64)
	at := time.Unix(seconds, 0).UTC()
	if err != nil || at.After(s.now()) || s.now().Sub(at) > 24*time.Hour {
		return time.Time{}
	}
	return at
}

// nudge brings the next question to the bank forward: somebody is waiting. It
// stays inside the payment's budget, and the page does not depend on it.
func (s *Server) nudge(ctx context.Context, d describer) {
	p, ok := d.current()
	if !ok || s.deps.Payments == nil {
		return
	}
	if err := s.deps.Payments.Nudge(ctx, d.merchant, p.ID); err != nil {
		s.log.DebugContext(ctx, "nudge", "payment", p.ID, "error", err)
	}
}

func (s *Server) showCheckout(c echo.Context, status int, st pageState, v visit) error {
	p := s.phrases(c)
	d := describer{p, st}
	view := d.checkoutView(v)
	pieces := int64(0)
	for _, item := range st.Order.Items {
		pieces += item.Quantity
	}
	body := checkoutBody{
		checkoutView: view, ID: st.Order.ID, Key: eventwire.NewID("", s.now()), Rest: itoa(st.rest()), Alert: v.Flash == "bank_down" || v.Flash == "unsure",
		Count: p.count("items_n", pieces, nil), TotalWord: p.get("h_total"), orderFoot: d.foot(),
	}
	out, err := s.shopperPage(d, "checkout.js", body)
	if err != nil {
		return err
	}
	out.Title = view.Title.String() + " - " + out.Ref + " - " + out.Brand
	if view.Waiting && c.Request().Method == http.MethodGet {
		out.reloadEvery(c, checkoutReload)
	}
	return s.render(c, status, "checkout", out, pagePolicy{FormAction: s.deps.Pages.FormOrigins})
}

// payForm is the button "Pay" of a browser without script: it does what the
// script does, through the same operation, and goes to the bank.
func (s *Server) payForm(c echo.Context) error {
	st, done, err := s.orderPage(c, "/checkout/"+c.Param("order"))
	if done {
		return err
	}
	if c.FormValue("amount") != "" && c.FormValue("amount") != itoa(st.rest()) {
		return s.showCheckout(c, http.StatusConflict, st, visit{Flash: "changed"})
	}
	body := map[string]any{"order_id": st.Order.ID, "return_url": s.deps.PublicURL + "/checkout/" + st.Order.ID + "?from=bank"}
	a, err := s.callAPI(c, apiCall{Method: http.MethodPost, Path: "/v1/payments", Key: c.FormValue("key"), Body: body})
	if err != nil {
		return err
	}
	if a.status == http.StatusCreated {
		var p payments.Summary
		if err := json.Unmarshal(a.body, &p); err != nil {
			return err
		}
		if p.NextAction == nil {
			return c.Redirect(http.StatusSeeOther, "/checkout/"+st.Order.ID)
		}
		return c.Redirect(http.StatusSeeOther, p.NextAction.URL)
	}
	return s.payFailed(c, st, a)
}

// payFailed shows the state that the refusal of a payment stands for.
func (s *Server) payFailed(c echo.Context, st pageState, a apiAnswer) error {
	if fresh, err := s.readState(c, st.Order.ID); err == nil {
		st = fresh
	}
	v := visit{}
	switch a.code() {
	case "payment_open":
		v.Flash = "other_tab"
	case "provider_unavailable", "rejected_by_provider":
		v.Flash = "bank_down"
	case "unavailable", "internal", "idempotency_in_progress":
		v.Flash = "unsure"
	case "order_closed", "order_paid", "concurrent_update":
		return s.showCheckout(c, http.StatusConflict, st, v)
	default:
		return a.problem()
	}
	return s.showCheckout(c, a.status, st, v)
}

// stopForm ends a payment that the shopper has not finished.
func (s *Server) stopForm(c echo.Context) error {
	st, done, err := s.orderPage(c, "/checkout/"+c.Param("order"))
	if done {
		return err
	}
	known, ok := st.Payments[c.FormValue("payment")]
	if !ok || s.deps.Payments == nil {
		return newProblem("not_found", "")
	}
	_, err = s.deps.Payments.Cancel(c.Request().Context(), payments.Command{Merchant: st.merchant, ID: known.Payment.ID, By: payments.CauseShopper})
	var conflict *payments.ConflictError
	if err != nil && !errors.As(err, &conflict) {
		return err
	}
	// The event is on its way to the page; what it says then is the truth.
	return c.Redirect(http.StatusSeeOther, "/checkout/"+url.PathEscape(st.Order.ID))
}
