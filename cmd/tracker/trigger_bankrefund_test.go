package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTrigger_bank_refund_is_made_at_the_bank(t *testing.T) {
	t.Parallel()
	var got []string
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		if strings.Contains(string(body), "999") {
			w.WriteHeader(409)
			fmt.Fprint(w, `{"error":{"code":"amount_too_large","message":"too much"}}`)
			return
		}
		fmt.Fprint(w, `{"id":"rfd_1","amount":500,"status":"succeeded"}`)
	}))
	defer bank.Close()
	api := newFakeAPI(t)
	api.onFile("GET /v1/payments/pay_1", 200, "payment_start")
	for _, c := range []struct{ args, prints, fails string }{
		{"--amount 500", "the bank sends back 5.00 EUR", ""},
		{"--amount 999", "", "the bank refuses: amount_too_large"},
		{"--bank-url http://127.0.0.1:1", "", "the bank at http://127.0.0.1:1 does not answer"},
	} {
		args := append([]string{"trigger", "bank-refund", "pay_1", "--bank-url", bank.URL, "--bank-secret", "whsec_new,whsec_old"}, strings.Fields(c.args)...)
		stdout, _, err := tool(t.Context(), api, args...)
		if !strings.Contains(stdout, c.prints) || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %q, %v", c.args, stdout, err)
		}
	}
	if want := `POST /sessions/ses_1/bank_refunds Bearer whsec_new {"amount":500}`; len(got) != 2 || got[0] != want {
		t.Errorf("got %v", got)
	}
}
