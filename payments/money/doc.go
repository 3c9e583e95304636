// Package money counts money in whole minor units of an ISO 4217 currency: the
// cent of the euro, the yen itself, the fils of the Kuwaiti dinar.
//
// It promises that no operation rounds, wraps or mixes currencies: what does not
// fit an int64 is [ErrOverflow], two currencies in one sum are [ErrMixed], and
// [Parse] of what [Amount.Format] wrote is the same amount, in every currency.
// It does not convert between currencies, knows no signs or separators of any
// language (pages do that, with Intl) and keeps no history: a code that ISO has
// withdrawn is unknown.
//
// It fails by error only. A [Currency] that did not come from [ParseCurrency]
// may be nonsense; its exponent is -1 and its amounts print as plain minor
// units, marked as such, so that a mistake is seen instead of being off by 100.
//
// # Decisions
//
//   - int64 and no decimal type: the largest amount is 92 quadrillion euro, the
//     arithmetic is exact and the form is that of every payment interface.
//   - The exponents are those of ISO 4217 list one, not those of CLDR, which
//     differ (IQD 3 against 0) because CLDR describes what shops print. Where a
//     provider has its own idea of an exponent, its adapter translates.
//   - Codes without a minor unit (gold, SDR, the code for testing) are no
//     currencies here: nobody pays an order with them.
//   - The table is one constant string rather than a map, so that it cannot be
//     changed and needs no start-up code. It is 800 bytes; a search in it costs
//     less than a map's hash.
package money
