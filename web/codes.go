package web

import "net/http"

// Code describes one stable error code for the documentation.
type Code struct {
	Code    string
	Status  int
	Title   string
	Meaning string
	Fix     string
}

// Codes lists every code that a problem can carry, in the order of /docs.
func Codes() []Code { return append([]Code(nil), codes...) }

// codes is the one place where a code, its status and its words are defined.
var codes = []Code{
	{"malformed_json", http.StatusBadRequest, "The body is not valid JSON", "The body could not be parsed.", "Check quotes, commas and that the text is UTF-8; `detail` says where parsing stopped."},
	{"invalid_request", http.StatusUnprocessableEntity, "A field does not fit", "At least one field is unknown, missing, of the wrong type or out of range.", "Each entry of `errors` names a field by JSON pointer and says what is expected."},
	{"invalid_parameter", http.StatusBadRequest, "A parameter does not fit", "A query parameter or header is not what it must be.", "Each entry of `errors` names the parameter."},
	{"unsupported_media_type", http.StatusUnsupportedMediaType, "The body must be JSON", "The Content-Type of the body is not application/json.", "Send `Content-Type: application/json`."},
	{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large", "The body is larger than this operation accepts.", "Send less: 64 KB, or 1 MB when creating an order."},
	{"unauthorized", http.StatusUnauthorized, "No valid key or token", "The key or token is missing, malformed, unknown, expired or revoked.", "Send `Authorization: Bearer sk_…`, or a tracking token of this order."},
	{"forbidden", http.StatusForbidden, "Not allowed with this key", "The key or token is good but does not have the right to do this.", "Use a key with the scope that `detail` names."},
	{"cross_origin", http.StatusForbidden, "Refused: the request came from another site", "A browser sent this change from a page of another origin.", "Send it from our own pages, or use a key instead of a cookie."},
	{"not_found", http.StatusNotFound, "Not found", "There is nothing here, or it is not yours.", "Check the id, and that key and data are of the same mode (test or live)."},
	{"method_not_allowed", http.StatusMethodNotAllowed, "Method not allowed", "The path exists, but not with this method.", "`Allow` lists the methods."},
	{"conflict", http.StatusConflict, "Not possible in the present state", "The state of the resource does not allow this change; nothing was done.", "Look at `current` and decide again."},
	{"sequence_mismatch", http.StatusConflict, "It has changed meanwhile", "`If-Match` names another sequence than the present one; nothing was done.", "Read it again, decide again, send the new sequence."},
	{"idempotency_in_progress", http.StatusConflict, "The first request with this key is still running", "A request with the same Idempotency-Key has not been answered yet.", "Wait for `Retry-After` and send it again."},
	{"idempotency_key_reused", http.StatusUnprocessableEntity, "Idempotency-Key used for another request", "The key was used within 24 hours with another body or operation.", "Use a new key for a new request, the same key only for the same one."},
	{"rate_limited", http.StatusTooManyRequests, "Too many requests", "The budget of this key or address is used up.", "Wait for `Retry-After`; `RateLimit` says what is left."},
	{"too_many_watchers", http.StatusTooManyRequests, "Too many watchers", "This order or address has as many watchers as it may have.", "Wait for `Retry-After`; share one connection between tabs."},
	{"unavailable", http.StatusServiceUnavailable, "Not available at the moment", "Something that we need does not answer; nothing was done unless an Idempotency-Key finds it later.", "Try again after `Retry-After`, with the same Idempotency-Key."},
	{"internal", http.StatusInternalServerError, "Something went wrong on our side", "We have a mistake; it is in our log under `request_id`.", "Try again with the same Idempotency-Key; tell us the `request_id` if it stays."},
}

func findCode(name string) Code {
	for _, c := range codes {
		if c.Code == name {
			return c
		}
	}
	return Code{Code: name, Status: http.StatusInternalServerError, Title: "Something went wrong on our side"}
}
