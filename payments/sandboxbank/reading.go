package sandboxbank

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"tracker/payments/money"
)

const (
	maxBody   = 64 << 10
	maxText   = 500 // characters of a name or a reference
	maxURL    = 2048
	keyHeader = "Idempotency-Key"
	maxKey    = 255
)

func (in SessionRequest) check() error {
	_, err := money.ParseCurrency(in.Currency)
	switch {
	case in.Payment == "" || len(in.Payment) > 100 || strings.ContainsAny(in.Payment, " \t\r\n"):
		return invalid("payment is missing, too long or has spaces")
	case in.Amount < 1:
		return invalid("amount is a positive number of minor units")
	case err != nil:
		return invalid("currency is an ISO 4217 code")
	case in.Capture != "" && in.Capture != captureAutomatic && in.Capture != captureManual:
		return invalid("capture is automatic or manual")
	case utf8.RuneCountInString(in.Shop) > maxText || utf8.RuneCountInString(in.OrderReference) > maxText:
		return invalid("shop or order_reference is too long")
	case !webURL(in.ReturnURL) || !webURL(in.CallbackURL):
		return invalid("return_url and callback_url are absolute http or https URLs")
	}
	return nil
}

// webURL reports whether a link may go there: empty, or http(s) and absolute.
func webURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get(keyHeader)
	if key == "" || len(key) > maxKey {
		return "", invalid("the header " + keyHeader + " is missing or too long")
	}
	return key, nil
}

// decode reads one JSON object without unknown members. No body at all is an
// empty object.
func decode(r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return &apiError{http.StatusRequestEntityTooLarge, "too_large", "the body is too large or broke off"}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &apiError{http.StatusBadRequest, "malformed_json", "the body is not the JSON that this call takes"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &apiError{http.StatusBadRequest, "malformed_json", "more than one JSON value"}
	}
	return nil
}

func invalid(message string) error {
	return &apiError{http.StatusUnprocessableEntity, "invalid_request", message}
}

func (b *Bank) allowed(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && b.signer.accepts(token)
}

func (b *Bank) answer(w http.ResponseWriter, status int, answer any, err error) {
	if err != nil {
		status, answer = b.refusal(err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// refusal is the answer to an error; what is not meant for callers is logged.
func (b *Bank) refusal(err error) (int, errorBody) {
	var body errorBody
	var known *apiError
	if !errors.As(err, &known) {
		b.log.Error("request failed", "error", err)
		known = &apiError{http.StatusInternalServerError, "internal", "the bank made a mistake"}
	}
	body.Error.Code, body.Error.Message = known.code, known.message
	return known.status, body
}
