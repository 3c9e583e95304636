package apikeys

import (
	"net/url"
	"unicode"
	"unicode/utf8"
)

const (
	defaultRefundDays = 10
	maxRefundDays     = 90
	maxName           = 100
	maxURL            = 500
)

func checkSettings(m Merchant) []FieldError {
	var fields []FieldError
	if m.Name == "" || !plain(m.Name, maxName) {
		fields = append(fields, FieldError{"/name", "invalid", "must have 1 to 100 characters and no control characters"})
	}
	if !webAddress(m.HelpURL) {
		fields = append(fields, FieldError{"/help_url", "invalid", "must be an http or https address of at most 500 characters, or empty"})
	}
	if !webAddress(m.ShopURL) {
		fields = append(fields, FieldError{"/shop_url", "invalid", "must be an http or https address of at most 500 characters, or empty"})
	}
	if m.RefundDays < 1 || m.RefundDays > maxRefundDays {
		fields = append(fields, FieldError{"/refund_days", "out_of_range", "must be from 1 to 90"})
	}
	return fields
}

func plain(text string, most int) bool {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > most {
		return false
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// webAddress accepts what may become a link on a shopper's page: http or https,
// so that no script gets there.
func webAddress(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && plain(text, maxURL) && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}
