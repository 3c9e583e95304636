package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tracker/payments/sandboxbank"
)

type triggerPay struct {
	remote
	ID       string `arg:"" name:"order" help:"The order's id (ord_…), or a payment that waits for the shopper (pay_…)."`
	Decision string `default:"approve" placeholder:"DECISION" help:"What the bank does. Default: approve."`
	Manual   bool   `help:"Only authorize; capture later."`
}

// Help is the longer help of the command.
func (triggerPay) Help() string {
	return `The decisions of the sandbox bank:

    approve               paid at once
    decline               the bank says no
    pend                  says nothing until another decision
    approve_silent        takes the money and never calls back
    approve_late          approves after the payment has run out
    approve_twice         the same callback twice, and once under a new id
    approve_reordered     an older "processing" after the success
    approve_wrong_amount  reports another sum
    approve_then_reverse  says yes, and takes it back a little later
    unavailable           answers 503 for a while and decides nothing`
}

// Run starts a payment, presses the button on the bank's page and shows the
// payment as it is then; its outcome arrives by the bank's callback.
func (c *triggerPay) Run(ctx context.Context, out *console) error {
	if err := checkDecision(c.Decision); err != nil {
		return err
	}
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	p, err := c.payment(ctx, api)
	if err != nil {
		return err
	}
	if p.NextAction == nil || p.NextAction.URL == "" {
		return fmt.Errorf("%s is %s: there is no page to pay at (tracker why %s)", p.ID, p.Status, p.ID)
	}
	if err := press(ctx, api.http, p.NextAction.URL, c.Decision); err != nil {
		return err
	}
	if c.JSON {
		return fetch(ctx, out, c.remote, "/v1/payments/"+p.ID, printPayment)
	}
	fmt.Fprintf(out.stdout, "%s  the bank was told: %s\n  follow it with: tracker watch %s\n", p.ID, c.Decision, p.ID)
	return nil
}

// checkDecision refuses what the bank does not know before anything is made.
func checkDecision(text string) error {
	if !slices.Contains(sandboxbank.Decisions(), sandboxbank.Decision(text)) {
		return misused("the bank does not know the decision %q (see \"tracker trigger pay --help\")", text)
	}
	return nil
}

func (c *triggerPay) payment(ctx context.Context, api *apiClient) (p paymentView, err error) {
	if strings.HasPrefix(c.ID, "pay_") {
		return p, api.call(ctx, "GET", "/v1/payments/"+url.PathEscape(c.ID), nil, &p)
	}
	body := map[string]any{"order_id": c.ID}
	if c.Manual {
		body["capture"] = "manual"
	}
	return p, api.call(ctx, "POST", "/v1/payments", body, &p)
}

// press submits the form of the bank's page, as a browser would. The bank sends
// the browser back to the shop, which is not followed.
func press(ctx context.Context, client *http.Client, page, decision string) error {
	form := strings.NewReader(url.Values{"decision": {decision}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	still := *client
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := still.Do(req)
	if err != nil {
		return unreachable(req.URL, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("the bank does not know the decision %q (see \"tracker trigger pay --help\")", decision)
	case res.StatusCode >= 400:
		return fmt.Errorf("the bank's page answered %s", res.Status)
	}
	return nil
}
