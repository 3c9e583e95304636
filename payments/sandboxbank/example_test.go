package sandboxbank_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
)

// A bank, a shop that owns a provider for it, and a customer who approves.
func Example() {
	const secret = "whsec_YW4gZXhhbXBsZSBzZWNyZXQgb25seQ=="
	bank, err := sandboxbank.New(sandboxbank.Options{Secrets: []string{secret}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(bank)
	defer server.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go bank.Run(ctx)

	provider, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{BaseURL: server.URL, Secrets: []string{secret}})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := provider.Create(ctx, payments.NewSession{
		Payment: "pay_1", Title: "1042", Amount: money.Amount{Minor: 4198, Currency: money.EUR}, Capture: payments.CaptureAutomatic,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = http.PostForm(session.RedirectURL, map[string][]string{"decision": {"approve"}})
	report, err := provider.Status(ctx, session.Reference)
	fmt.Println(report.State, report.Captured, report.Currency, err)
	// Output: captured 4198 EUR <nil>
}

func ExampleSigner() {
	signer, err := sandboxbank.NewSigner("whsec_YW4gZXhhbXBsZSBzZWNyZXQgb25seQ==")
	if err != nil {
		fmt.Println(err)
		return
	}
	at, body, header := newClock().Now(), []byte(`{"type":"payment.succeeded"}`), http.Header{}
	signer.Sign(header, "evt_1", at, body)
	id, err := signer.Verify(header, body, at)
	fmt.Println(id, err)
	_, err = signer.Verify(header, []byte(`{"type":"payment.failed"}`), at)
	fmt.Println(err)
	// Output:
	// evt_1 <nil>
	// sandboxbank: signature does not verify: no signature fits
}
