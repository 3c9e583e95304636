package stripepay

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"tracker/payments"
	"tracker/payments/money"
)

// errAmount says that Stripe cannot express an amount, or sent one that we cannot.
var errAmount = errors.New("stripepay: amount")

// scale is how Stripe's number of a currency relates to ours: theirs is ours
// times up, or divided by down, and must be a multiple of step.
type scale struct{ up, down, step int64 }

// scaleOf knows the currencies whose unit at Stripe is documented; false for
// those that Stripe does not take. Source: docs.stripe.com/currencies, "zero-
// decimal", "three-decimal" and "special cases".
func scaleOf(c money.Currency) (scale, bool) {
	switch c {
	case "ISK", "UGX": // no decimals in ISO 4217, two at Stripe, and those are 00
		return scale{100, 1, 100}, true
	case "MGA": // two in ISO 4217, none at Stripe
		return scale{1, 100, 1}, true
	case "BHD", "JOD", "KWD", "OMR", "TND": // three decimals, the last must be 0
		return scale{1, 1, 10}, true
	case "IQD", "LYD", "CLF", "UYW", "UYI":
		return scale{}, false
	}
	return scale{1, 1, 1}, c.Exponent() >= 0
}

// toStripe is the amount as Stripe counts it. What cannot be expressed is a
// final no: rounding would take another sum than the order's.
func toStripe(a money.Amount) (int64, error) {
	s, ok := scaleOf(a.Currency)
	switch {
	case !ok:
		return 0, &payments.RejectedError{Code: "unsupported_currency", Err: fmt.Errorf("%w: %s", errAmount, a.Currency)}
	case a.Minor%s.down != 0 || a.Minor > math.MaxInt64/s.up || a.Minor < math.MinInt64/s.up:
		return 0, &payments.RejectedError{Code: "unsupported_amount", Err: fmt.Errorf("%w: %s", errAmount, a)}
	}
	n := a.Minor / s.down * s.up
	if n%s.step != 0 {
		return 0, &payments.RejectedError{Code: "unsupported_amount", Err: fmt.Errorf("%w: %s", errAmount, a)}
	}
	return n, nil
}

// fromStripe is the inverse of toStripe.
func fromStripe(n int64, code string) (money.Amount, error) {
	c, err := money.ParseCurrency(strings.ToUpper(code))
	if err != nil {
		return money.Amount{}, fmt.Errorf("%w: %w", errAmount, err)
	}
	s, ok := scaleOf(c)
	if !ok || n%s.up != 0 || n > math.MaxInt64/s.down || n < math.MinInt64/s.down {
		return money.Amount{}, fmt.Errorf("%w: %d of %s", errAmount, n, c)
	}
	return money.Amount{Minor: n / s.up * s.down, Currency: c}, nil
}
