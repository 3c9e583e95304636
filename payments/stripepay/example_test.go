package stripepay_test

import (
	"fmt"

	"tracker/payments/stripepay"
)

func ExampleNew() {
	provider, err := stripepay.New(stripepay.Options{
		Key: "sk_test_from_the_environment", Secrets: []string{"whsec_from_the_environment"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(provider.Name(), provider.Origins())
	// Output: stripe [https://checkout.stripe.com]
}
