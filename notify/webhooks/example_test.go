package webhooks_test

import (
	"fmt"
	"net/http"
	"time"

	"tracker/notify/webhooks"
)

func ExampleSign() {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	at := time.Unix(1614265330, 0)
	signature, err := webhooks.Sign([]string{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	fmt.Println(signature, err)
	// Output: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= <nil>
}

func ExampleSignHeader() {
	h := http.Header{}
	err := webhooks.SignHeader(h, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "evt_1", time.Unix(1614265330, 0), []byte(`{}`))
	fmt.Println(h.Get("webhook-id"), h.Get("webhook-timestamp"), err)
	// Output: evt_1 1614265330 <nil>
}

func ExampleEndpoint_Wants() {
	e := webhooks.Endpoint{Events: []string{"order.*", "payment.captured"}}
	fmt.Println(e.Wants("order.confirmed"), e.Wants("payment.captured"), e.Wants("payment.failed"))
	// Output: true true false
}
