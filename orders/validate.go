package orders

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tracker/payments/money"
)

// Limits of what comes in.
const (
	MaxReference     = 200
	MaxItems         = 100
	MaxSKU           = 64
	MaxName          = 500
	MaxQuantity      = 9999
	MaxAmount        = 1<<53 - 1 // what a browser's number holds exactly
	MaxMetadata      = 50
	MaxMetadataKey   = 40
	MaxMetadataValue = 500
	MaxExpiresIn     = 30 * 24 * time.Hour
	MaxReason        = 500
	MaxCarrier       = 64
	MaxTracking      = 128
	MaxLocation      = 200
	MaxDescription   = 2000
	MaxShopName      = 200
	MaxURL           = 2000
	MaxQuery         = 200
	MaxLimit         = 100
	DefaultLimit     = 20
)

// checker gathers what does not fit, so that a caller learns it all at once.
type checker struct{ fields []FieldError }

func (c *checker) add(pointer, code, format string, args ...any) {
	c.fields = append(c.fields, FieldError{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (c *checker) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &InvalidError{Fields: c.fields}
}

// line checks a text of one line.
func (c *checker) line(pointer, value string, most int, required bool) {
	switch {
	case required && strings.TrimSpace(value) == "":
		c.add(pointer, "required", "must not be empty")
	case !utf8.ValidString(value):
		c.add(pointer, "invalid", "must be valid UTF-8")
	case utf8.RuneCountInString(value) > most:
		c.add(pointer, "too_long", "must have at most %d characters", most)
	case strings.ContainsFunc(value, unicode.IsControl):
		c.add(pointer, "control_character", "must not contain control characters")
	}
}

// text checks a text that may have several lines.
func (c *checker) text(pointer, value string, most int) {
	plain := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, value)
	if !utf8.ValidString(value) {
		plain = value // Map would have mended what line has to refuse
	}
	c.line(pointer, plain, most, false)
}

func (c *checker) between(pointer string, value, least, most int64) {
	if value < least || value > most {
		c.add(pointer, "out_of_range", "must be from %d to %d", least, most)
	}
}

func (c *checker) link(pointer, value string) {
	if value == "" {
		return
	}
	c.line(pointer, value, MaxURL, false)
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		c.add(pointer, "invalid", "must be an http or https address")
	}
}

func (c *checker) dates(from, to string) {
	first, okFirst := c.date("/estimated_from", from)
	last, okLast := c.date("/estimated_to", to)
	if okFirst && okLast && last.Before(first) {
		c.add("/estimated_to", "out_of_range", "must not be before estimated_from")
	}
}

func (c *checker) date(pointer, value string) (time.Time, bool) {
	if value == "" {
		return time.Time{}, false
	}
	day, err := time.Parse(time.DateOnly, value)
	if err != nil || day.Year() < 2000 {
		c.add(pointer, "invalid", "must be a date such as 2026-11-26")
		return time.Time{}, false
	}
	return day, true
}

// checkOrder returns the order's total, or everything that does not fit.
func checkOrder(in NewOrder) (int64, error) {
	c := &checker{}
	c.line("/reference", in.Reference, MaxReference, true)
	if in.Currency == "" {
		c.add("/currency", "required", "must not be empty")
	} else if _, err := money.ParseCurrency(in.Currency); err != nil {
		c.add("/currency", "unknown_currency", "must be an ISO 4217 code such as EUR")
	}
	if in.ExpiresIn != 0 && (in.ExpiresIn < time.Millisecond || in.ExpiresIn > MaxExpiresIn) {
		c.add("/expires_in", "out_of_range", "must be from 0.001 to %d seconds", int64(MaxExpiresIn/time.Second))
	}
	total := c.items(in.Items)
	c.metadata(in.Metadata)
	c.line("/shop/name", in.Shop.Name, MaxShopName, false)
	c.link("/shop/help_url", in.Shop.HelpURL)
	c.link("/shop/url", in.Shop.URL)
	return total, c.err()
}

func (c *checker) items(list []Item) (total int64) {
	switch {
	case len(list) == 0:
		c.add("/items", "required", "must have at least one item")
		return 0
	case len(list) > MaxItems:
		c.add("/items", "too_many", "must have at most %d items", MaxItems)
		return 0
	}
	before := len(c.fields)
	for i, item := range list {
		at := fmt.Sprintf("/items/%d", i)
		c.line(at+"/sku", item.SKU, MaxSKU, true)
		c.line(at+"/name", item.Name, MaxName, true)
		c.between(at+"/quantity", item.Quantity, 1, MaxQuantity)
		c.between(at+"/unit_amount", item.UnitAmount, 0, MaxAmount)
	}
	if len(c.fields) > before {
		return 0
	}
	for i, item := range list {
		if item.UnitAmount > (MaxAmount-total)/item.Quantity {
			c.add(fmt.Sprintf("/items/%d/unit_amount", i), "overflow", "the total must be at most %d", int64(MaxAmount))
			return 0
		}
		total += item.UnitAmount * item.Quantity
	}
	return total
}

func (c *checker) metadata(values map[string]string) {
	if len(values) > MaxMetadata {
		c.add("/metadata", "too_many", "must have at most %d entries", MaxMetadata)
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for key, value := range values {
		at := "/metadata/" + escape.Replace(key)
		c.line(at, key, MaxMetadataKey, true)
		c.text(at, value, MaxMetadataValue)
	}
}

func checkCancellation(in Cancellation) error {
	c := &checker{}
	c.text("/reason", in.Reason, MaxReason)
	return c.err()
}

func checkShipment(in NewShipment) error {
	c := &checker{}
	c.line("/carrier", in.Carrier, MaxCarrier, true)
	c.line("/tracking_number", in.TrackingNumber, MaxTracking, true)
	if len(in.Items) > MaxItems {
		c.add("/items", "too_many", "must have at most %d items", MaxItems)
		return c.err()
	}
	for i, item := range in.Items {
		at := fmt.Sprintf("/items/%d", i)
		c.line(at+"/sku", item.SKU, MaxSKU, true)
		c.between(at+"/quantity", item.Quantity, 1, MaxQuantity)
	}
	c.dates(in.EstimatedFrom, in.EstimatedTo)
	return c.err()
}

// A carrier that writes its local time with the wrong offset is at most 26
// hours ahead of us.
const maxAhead = 26 * time.Hour

func checkCarrierEvent(in CarrierEvent, now time.Time) error {
	c := &checker{}
	switch {
	case in.Status == "":
		c.add("/status", "required", "must not be empty")
	case !in.Status.Valid():
		c.add("/status", "unknown", "must be a shipment status")
	}
	if t := in.OccurredAt; !t.IsZero() && (t.After(now.Add(maxAhead)) || t.Year() < 2000) {
		c.add("/occurred_at", "out_of_range", "must be a time since 2000 and not in the future")
	}
	c.line("/location", in.Location, MaxLocation, false)
	c.text("/description", in.Description, MaxDescription)
	c.dates(in.EstimatedFrom, in.EstimatedTo)
	return c.err()
}
