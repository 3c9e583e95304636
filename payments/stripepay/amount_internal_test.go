package stripepay

import (
	"math"
	"testing"

	"tracker/payments/money"
)

// TestAmounts_of_every_currency goes to Stripe's number and back, in every
// currency, and never comes back as another sum.
func TestAmounts_of_every_currency(t *testing.T) {
	t.Parallel()
	for _, c := range money.Currencies() {
		for _, minor := range []int64{0, 1, 10, 99, 100, 1000, 4198, 1234500, math.MaxInt64, math.MaxInt64 / 100, math.MinInt64} {
			a := money.Amount{Minor: minor, Currency: c}
			n, err := toStripe(a)
			if err != nil {
				continue // refused, which is allowed; rounding is not
			}
			if back, err := fromStripe(n, string(c)); err != nil || back != a {
				t.Errorf("%v went as %d and came back as %v, %v", a, n, back, err)
			}
		}
	}
}

func TestAmounts_as_Stripe_documents_them(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ours   money.Amount
		theirs int64
	}{
		{money.Amount{Minor: 1000, Currency: "USD"}, 1000}, // 10 USD
		{money.Amount{Minor: 500, Currency: "JPY"}, 500},   // 500 JPY
		{money.Amount{Minor: 5120, Currency: "KWD"}, 5120}, // 5.120 KWD
		{money.Amount{Minor: 5, Currency: "ISK"}, 500},     // 5 ISK
		{money.Amount{Minor: 5, Currency: "UGX"}, 500},     // 5 UGX
		{money.Amount{Minor: 1500, Currency: "MGA"}, 15},   // 15 MGA
	} {
		if n, err := toStripe(tc.ours); err != nil || n != tc.theirs {
			t.Errorf("%v is %d, %v; want %d", tc.ours, n, err, tc.theirs)
		}
	}
	for _, refused := range []money.Amount{
		{Minor: 5124, Currency: "KWD"}, {Minor: 150, Currency: "MGA"}, {Minor: 1, Currency: "IQD"},
		{Minor: 1, Currency: "CLF"}, {Minor: 1, Currency: "ZZZ"}, {Minor: math.MaxInt64, Currency: "ISK"}, {Minor: math.MinInt64, Currency: "UGX"},
	} {
		if n, err := toStripe(refused); err == nil {
			t.Errorf("%v was sent as %d", refused, n)
		}
	}
	for code, n := range map[string]int64{"isk": 50, "zzz": 1, "": 1, "mga": math.MaxInt64} {
		if a, err := fromStripe(n, code); err == nil {
			t.Errorf("%d %s was read as %v", n, code, a)
		}
	}
}
