package money

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of arithmetic and parsing; test with errors.Is.
var (
	ErrOverflow = errors.New("money: amount does not fit")
	ErrMixed    = errors.New("money: two currencies in one sum")
	ErrSyntax   = errors.New("money: not an amount")
)

// maxDigits bounds what Parse looks at: the digits of an int64, a sign, a point.
const maxDigits = 21

// Amount is a number of minor units of a currency. The zero value is no money of
// no currency; Amounts are values and safe to copy and compare with ==.
type Amount struct {
	Minor    int64
	Currency Currency
}

// Add returns a + b, or ErrMixed, or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrMixed, a.Currency, b.Currency)
	}
	sum := a.Minor + b.Minor
	// Only two numbers of one sign can leave the range, and then the sign flips.
	if (a.Minor >= 0) == (b.Minor >= 0) && (sum >= 0) != (a.Minor >= 0) {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrOverflow, a, b)
	}
	return Amount{sum, a.Currency}, nil
}

// Sub returns a - b, or ErrMixed, or ErrOverflow. The result may be negative.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrMixed, a.Currency, b.Currency)
	}
	diff := a.Minor - b.Minor
	if (a.Minor >= 0) != (b.Minor >= 0) && (diff >= 0) != (a.Minor >= 0) {
		return Amount{}, fmt.Errorf("%w: %s - %s", ErrOverflow, a, b)
	}
	return Amount{diff, a.Currency}, nil
}

// Format writes the amount in major units with all digits of the minor unit and
// a point, for machines and logs: "41.98", "500", "-1.250".
func (a Amount) Format() string {
	exponent := a.Currency.Exponent()
	if exponent < 0 {
		return strconv.FormatInt(a.Minor, 10) + " minor units"
	}
	digits := strconv.FormatUint(magnitude(a.Minor), 10)
	if pad := exponent + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	if exponent > 0 {
		point := len(digits) - exponent
		digits = digits[:point] + "." + digits[point:]
	}
	if a.Minor < 0 {
		return "-" + digits
	}
	return digits
}

// String is the code and the amount: "EUR 41.98".
func (a Amount) String() string { return string(a.Currency) + " " + a.Format() }

// Parse reads an amount in major units: an optional minus, digits without
// needless zeros in front, and at most as many decimals as the currency has
// ("41.98", "41.9" and "41" are EUR, "41.985" is not). Anything else, such as a
// plus, a comma, an exponent or a space, is ErrSyntax; an unknown currency is
// ErrCurrency; what does not fit is ErrOverflow.
func Parse(s string, c Currency) (Amount, error) {
	exponent := c.Exponent()
	if exponent < 0 {
		return Amount{}, fmt.Errorf("%w %.8q", ErrCurrency, string(c))
	}
	if len(s) > maxDigits {
		return Amount{}, fmt.Errorf("%w: %d characters", ErrOverflow, len(s))
	}
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(unsigned, ".")
	padded := (len(whole) > 1 && whole[0] == '0')
	if !digitsOnly(whole) || padded || (point && !digitsOnly(fraction)) || len(fraction) > exponent {
		return Amount{}, fmt.Errorf("%w of %s: %q", ErrSyntax, c, s)
	}
	digits := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	size, err := strconv.ParseUint(digits, 10, 64)
	minor, ok := signed(negative, size)
	if err != nil || !ok {
		return Amount{}, fmt.Errorf("%w: %s %q", ErrOverflow, c, s)
	}
	return Amount{minor, c}, nil
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// magnitude is |n|, also of the smallest int64, whose magnitude no int64 holds.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// signed is the inverse of magnitude; false when the result does not fit.
func signed(negative bool, size uint64) (int64, bool) {
	const limit = 1 << 63
	if negative {
		return -int64(size), size <= limit
	}
	return int64(size), size < limit
}
