package money_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"tracker/payments/money"
)

func TestCurrency_exponents(t *testing.T) {
	t.Parallel()
	// Typed in from ISO 4217 a second time: everything that is not 2.
	want := map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	}
	got := map[int][]string{}
	for _, c := range money.Currencies() {
		got[c.Exponent()] = append(got[c.Exponent()], string(c))
	}
	for exponent, codes := range want {
		if strings.Join(got[exponent], " ") != codes {
			t.Errorf("exponent %d: got %v, want %s", exponent, got[exponent], codes)
		}
	}
	if n := len(got[2]); n < 125 {
		t.Errorf("only %d currencies with cents", n)
	}
}

func TestCurrencies_are_sorted_unique_and_parse(t *testing.T) {
	t.Parallel()
	list := money.Currencies()
	if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Fatal("not sorted or not unique")
	}
	for _, c := range list {
		if got, err := money.ParseCurrency(string(c)); err != nil || got != c {
			t.Errorf("ParseCurrency(%q) = %q, %v", c, got, err)
		}
	}
}

func TestParseCurrency_refuses(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "E", "EU", "eur", "EURO", "ZZZ", "XAU", "XXX", "XTS", "UR2", "R2 ", "2 E", "2\nB", "\nAE", "ÄB", "BGN", strings.Repeat("A", 1<<16)} {
		if c, err := money.ParseCurrency(code); !errors.Is(err, money.ErrCurrency) || c != "" {
			t.Errorf("ParseCurrency(%.10q) = %q, %v", code, c, err)
		} else if len(err.Error()) > 80 {
			t.Errorf("the error repeats the whole input: %d bytes", len(err.Error()))
		}
	}
}

func TestFormatAndParse_every_currency(t *testing.T) {
	t.Parallel()
	values := []int64{0, 1, -1, 9, 10, 99, 100, 101, 999, 1000, 1001, 9999, 10000, 4198, -4198, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	for _, c := range money.Currencies() {
		for _, minor := range values {
			a := money.Amount{Minor: minor, Currency: c}
			got, err := money.Parse(a.Format(), c)
			if err != nil || got != a {
				t.Errorf("Parse(%q, %s) = %v, %v; want %d", a.Format(), c, got, err, minor)
			}
			if want := viaBig(minor, c.Exponent()); a.Format() != want {
				t.Errorf("%s %d formats as %q, want %q", c, minor, a.Format(), want)
			}
		}
	}
}

// viaBig formats by rational arithmetic, as an independent opinion.
func viaBig(minor int64, exponent int) string {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
	return new(big.Rat).SetFrac(big.NewInt(minor), unit).FloatString(exponent)
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in       string
		currency money.Currency
		minor    int64
		err      error
	}{
		{"41.98", money.EUR, 4198, nil},
		{"41.9", money.EUR, 4190, nil},
		{"41", money.EUR, 4100, nil},
		{"0.01", money.EUR, 1, nil},
		{"-0.01", money.EUR, -1, nil},
		{"500", money.JPY, 500, nil},
		{"1.25", money.KWD, 1250, nil},
		{"1.2345", "CLF", 12345, nil},
		{"92233720368547758.07", money.EUR, math.MaxInt64, nil},
		{"92233720368547758.08", money.EUR, 0, money.ErrOverflow},
		{"-92233720368547758.08", money.EUR, math.MinInt64, nil},
		{"-92233720368547758.09", money.EUR, 0, money.ErrOverflow},
		{"99999999999999999999", money.JPY, 0, money.ErrOverflow},
		{strings.Repeat("9", 1<<16), money.JPY, 0, money.ErrOverflow},
		{"41.985", money.EUR, 0, money.ErrSyntax},
		{"500.0", money.JPY, 0, money.ErrSyntax},
		{"500.", money.JPY, 0, money.ErrSyntax},
		{"", money.EUR, 0, money.ErrSyntax},
		{"-", money.EUR, 0, money.ErrSyntax},
		{".", money.EUR, 0, money.ErrSyntax},
		{".5", money.EUR, 0, money.ErrSyntax},
		{"5.", money.EUR, 0, money.ErrSyntax},
		{"007", money.EUR, 0, money.ErrSyntax},
		{"+1", money.EUR, 0, money.ErrSyntax},
		{"--1", money.EUR, 0, money.ErrSyntax},
		{"1,50", money.EUR, 0, money.ErrSyntax},
		{"1 000", money.EUR, 0, money.ErrSyntax},
		{"1e3", money.EUR, 0, money.ErrSyntax},
		{"0x10", money.EUR, 0, money.ErrSyntax},
		{"1_000", money.EUR, 0, money.ErrSyntax},
		{"1.2.3", money.EUR, 0, money.ErrSyntax},
		{"١٢", money.EUR, 0, money.ErrSyntax},
		{"NaN", money.EUR, 0, money.ErrSyntax},
		{"1", "ZZZ", 0, money.ErrCurrency},
		{"1", "", 0, money.ErrCurrency},
	} {
		got, err := money.Parse(tc.in, tc.currency)
		if !errors.Is(err, tc.err) || got.Minor != tc.minor {
			t.Errorf("Parse(%.30q, %q) = %v, %v; want %d, %v", tc.in, tc.currency, got, err, tc.minor, tc.err)
		}
	}
}

func TestArithmetic_agrees_with_big_integers(t *testing.T) {
	t.Parallel()
	edge := []int64{0, 1, -1, 2, -2, 4198, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, math.MaxInt64 / 2, math.MinInt64 / 2, 1 << 32, -1 << 32}
	for _, a := range edge {
		for _, b := range edge {
			checkArithmetic(t, a, b)
		}
	}
}

func checkArithmetic(t *testing.T, a, b int64) {
	t.Helper()
	x, y := money.Amount{Minor: a, Currency: money.EUR}, money.Amount{Minor: b, Currency: money.EUR}
	check := func(op string, got money.Amount, err error, want *big.Int) {
		t.Helper()
		if !want.IsInt64() {
			if !errors.Is(err, money.ErrOverflow) || got != (money.Amount{}) {
				t.Errorf("%d %s %d = %v, %v; want overflow", a, op, b, got, err)
			}
			return
		}
		if err != nil || got.Minor != want.Int64() || got.Currency != money.EUR {
			t.Errorf("%d %s %d = %v, %v; want %v", a, op, b, got, err, want)
		}
	}
	sum, err := x.Add(y)
	check("+", sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
	diff, err := x.Sub(y)
	check("-", diff, err, new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
}

func TestArithmetic_refuses_two_currencies(t *testing.T) {
	t.Parallel()
	euro, yen := money.Amount{Minor: 1, Currency: money.EUR}, money.Amount{Minor: 1, Currency: money.JPY}
	if _, err := euro.Add(yen); !errors.Is(err, money.ErrMixed) {
		t.Errorf("Add: %v", err)
	}
	if _, err := euro.Sub(yen); !errors.Is(err, money.ErrMixed) {
		t.Errorf("Sub: %v", err)
	}
}

func TestAmount_of_an_unknown_currency_is_marked(t *testing.T) {
	t.Parallel()
	if got := (money.Amount{Minor: 4198, Currency: "ZZZ"}).String(); got != "ZZZ 4198 minor units" {
		t.Errorf("got %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"41.98", "-0.01", "500", "1.250", "", ".", "9223372036854775807", "-92233720368547758.08", "0x1", "1e9"} {
		f.Add(s)
	}
	list := money.Currencies()
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range list {
			a, err := money.Parse(s, c)
			if err != nil {
				continue
			}
			again, err := money.Parse(a.Format(), c)
			if err != nil || again != a {
				t.Fatalf("%s %q: %v, then %v, %v", c, s, a, again, err)
			}
			exact, ok := new(big.Rat).SetString(s)
			if !ok || exact.FloatString(c.Exponent()) != strings.TrimPrefix(a.Format(), "-") && exact.FloatString(c.Exponent()) != a.Format() {
				t.Fatalf("%s %q was read as %v", c, s, a)
			}
		}
	})
}

func FuzzArithmetic(f *testing.F) {
	f.Add(int64(1), int64(2))
	f.Add(int64(math.MinInt64), int64(-1))
	f.Fuzz(func(t *testing.T, a, b int64) { checkArithmetic(t, a, b) })
}

func FuzzParseCurrency(f *testing.F) {
	f.Add("EUR")
	f.Add("R2 ")
	f.Fuzz(func(t *testing.T, code string) {
		c, err := money.ParseCurrency(code)
		if known := slices.Contains(money.Currencies(), money.Currency(code)); known != (err == nil) || known && string(c) != code {
			t.Fatalf("%q: %q, %v", code, c, err)
		}
	})
}

func ExampleParse() {
	price, _ := money.Parse("15.00", money.EUR)
	plate, _ := money.Parse("26.98", money.EUR)
	total, _ := price.Add(plate)
	fmt.Println(total, total.Minor)
	// Output: EUR 41.98 4198
}
