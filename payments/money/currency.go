package money

import (
	"errors"
	"fmt"
	"strings"
)

// Currency is an ISO 4217 alphabetic code such as "EUR". Values from outside go
// through [ParseCurrency].
type Currency string

// The currencies that code and tests name. Every other one is a string away.
const (
	EUR Currency = "EUR"
	USD Currency = "USD"
	GBP Currency = "GBP"
	JPY Currency = "JPY"
	KWD Currency = "KWD"
)

// ErrCurrency is the error for a code that is not an active ISO 4217 currency
// with a minor unit.
var ErrCurrency = errors.New("money: unknown currency")

// iso4217 holds code and exponent of every active currency of ISO 4217 list
// one that has a minor unit. The digit after each code keeps one code's letters
// from running into the next, so a search for three letters hits a whole code.
const iso4217 = `
AED2 AFN2 ALL2 AMD2 AOA2 ARS2 AUD2 AWG2 AZN2
BAM2 BBD2 BDT2 BHD3 BIF0 BMD2 BND2 BOB2 BOV2 BRL2 BSD2 BTN2 BWP2 BYN2 BZD2
CAD2 CDF2 CHE2 CHF2 CHW2 CLF4 CLP0 CNY2 COP2 COU2 CRC2 CUP2 CVE2 CZK2
DJF0 DKK2 DOP2 DZD2
EGP2 ERN2 ETB2 EUR2
FJD2 FKP2
GBP2 GEL2 GHS2 GIP2 GMD2 GNF0 GTQ2 GYD2
HKD2 HNL2 HTG2 HUF2
IDR2 ILS2 INR2 IQD3 IRR2 ISK0
JMD2 JOD3 JPY0
KES2 KGS2 KHR2 KMF0 KPW2 KRW0 KWD3 KYD2 KZT2
LAK2 LBP2 LKR2 LRD2 LSL2 LYD3
MAD2 MDL2 MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 MXV2 MYR2 MZN2
NAD2 NGN2 NIO2 NOK2 NPR2 NZD2
OMR3
PAB2 PEN2 PGK2 PHP2 PKR2 PLN2 PYG0
QAR2
RON2 RSD2 RUB2 RWF0
SAR2 SBD2 SCR2 SDG2 SEK2 SGD2 SHP2 SLE2 SOS2 SRD2 SSP2 STN2 SVC2 SYP2 SZL2
THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 TWD2 TZS2
UAH2 UGX0 USD2 USN2 UYI0 UYU2 UYW4 UZS2
VED2 VES2 VND0 VUV0
WST2
XAD2 XAF0 XCD2 XCG2 XOF0 XPF0
YER2
ZAR2 ZMW2 ZWG2
`

// ParseCurrency returns the currency with this code. Codes are upper case; any
// other spelling is ErrCurrency, because a code that is close to right is a sign
// of a mistake nearby.
func ParseCurrency(code string) (Currency, error) {
	c := Currency(code)
	if c.Exponent() < 0 {
		return "", fmt.Errorf("%w %.8q", ErrCurrency, code)
	}
	return c, nil
}

// Exponent is the number of decimal digits of the minor unit: 2 for EUR, 0 for
// JPY, 3 for KWD; -1 for a code that is not in the table.
func (c Currency) Exponent() int {
	if len(c) != 3 || strings.ContainsAny(string(c), "0123456789 \n") {
		return -1
	}
	i := strings.Index(iso4217, string(c))
	if i < 0 {
		return -1
	}
	return int(iso4217[i+3] - '0')
}

// Currencies lists every currency that ParseCurrency accepts, sorted by code.
func Currencies() []Currency {
	fields := strings.Fields(iso4217)
	list := make([]Currency, len(fields))
	for i, f := range fields {
		list[i] = Currency(f[:3])
	}
	return list
}
