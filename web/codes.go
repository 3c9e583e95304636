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
	{"invalid_cursor", http.StatusBadRequest, "The cursor is not a sequence", "`after` or `Last-Event-ID` is not a whole number from 0.", "Send the `cursor` or `id` that you got last; leave it out to start at the beginning."},
	{"invalid_wait", http.StatusBadRequest, "The waiting time does not fit", "`wait` is not a whole number of seconds from 1 to 60.", "Send `wait=30`, or `Prefer: wait=30`."},
	{"invalid_query", http.StatusBadRequest, "The query cannot be understood", "The query string is malformed or too long.", "Percent-encode the values."},
	{"invalid_upgrade", http.StatusBadRequest, "Not a WebSocket handshake", "The Upgrade request lacks something that RFC 6455 asks for.", "Use a WebSocket library, subprotocol `tracker.v1`."},
	{"unsupported_media_type", http.StatusUnsupportedMediaType, "The body must be JSON", "The Content-Type of the body is not application/json in UTF-8, or the body is compressed.", "Send `Content-Type: application/json` and no `Content-Encoding`."},
	{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large", "The body is larger than this operation accepts.", "Send less: 64 KB, or 1 MB when creating an order."},
	{"unauthorized", http.StatusUnauthorized, "No valid key or token", "The key or token is missing, malformed, unknown, expired or revoked.", "Send `Authorization: Bearer sk_…`, or a tracking token of this order."},
	{"forbidden", http.StatusForbidden, "Not allowed with this key", "The key or token is good but does not have the right to do this.", "Use a key with the scope that `detail` names."},
	{"cross_origin", http.StatusForbidden, "Refused: the request came from another site", "A browser sent this change from a page of another origin.", "Send it from our own pages, or use a key instead of a cookie."},
	{"not_found", http.StatusNotFound, "Not found", "There is nothing here, or it is not yours.", "Check the id, and that key and data are of the same mode (test or live)."},
	{"method_not_allowed", http.StatusMethodNotAllowed, "Method not allowed", "The path exists, but not with this method.", "`Allow` lists the methods."},
	{"illegal_transition", http.StatusConflict, "Not possible in the present state", "The state table has no way from the present state to the one asked for; nothing was done.", "Look at `current` and decide again."},
	{"concurrent_update", http.StatusConflict, "Others changed it at the same time", "Several changes met again and again; nothing was done.", "Try again."},
	{"already_shipped", http.StatusConflict, "Too late to cancel", "Something of the order was handed to a carrier.", "Wait for a return, or refund."},
	{"not_confirmed", http.StatusConflict, "The order is not paid", "Nothing is shipped before the order is confirmed.", "Wait for `order.confirmed`."},
	{"on_hold", http.StatusConflict, "The order is on hold", "Nothing is shipped while the order is on hold.", "Release it first."},
	{"over_shipment", http.StatusConflict, "More than is left to be sent", "The items exceed what was ordered and not yet shipped.", "Look at the order's `shipments`; leave `items` out for everything that is left."},
	{"too_many", http.StatusConflict, "Too many of them", "One order or payment can carry only so many of these.", "Use another order, or make one of several."},
	{"payment_open", http.StatusConflict, "Another payment is undecided", "A payment of this order waits for the bank; a second one could charge twice.", "Follow `current.payment`. A merchant may insist with `force`."},
	{"order_closed", http.StatusConflict, "The order takes no payment", "The order was cancelled or expired, or its time to pay is over.", "Create a new order."},
	{"order_paid", http.StatusConflict, "Nothing is due", "The order is paid.", "Look at the order."},
	{"operation_pending", http.StatusConflict, "Another operation waits for the bank", "An earlier capture, void or cancel has no answer yet.", "Follow the payment and try again."},
	{"capture_exceeds", http.StatusConflict, "More than was approved", "The amount exceeds what the shopper approved and was not captured.", "Capture less, or leave `amount` out for all."},
	{"refund_exceeds", http.StatusConflict, "More than is left", "The amount exceeds what was captured and not yet refunded.", "Refund less, or leave `amount` out for the rest."},
	{"key_reused", http.StatusConflict, "The key was used for another command", "Payments knows this Idempotency-Key with other values, also beyond 24 hours.", "Use a new key."},
	{"currency_mismatch", http.StatusConflict, "Another currency", "A payment in another currency than the order's can only be returned.", "Decide `return`."},
	{"rejected_by_provider", http.StatusConflict, "The bank said no", "The payment provider refused this for good.", "Repeating it will not help; look at the payment."},
	{"provider_unavailable", http.StatusServiceUnavailable, "The bank does not answer", "The payment provider does not answer at the moment.", "Try again after `Retry-After`, with the same Idempotency-Key: it continues, never twice."},
	{"forged_callback", http.StatusUnauthorized, "Not from the provider", "The callback's signature, time or headers are wrong.", "Sign the raw body with the shared secret, and keep the clock right."},
	{"malformed_callback", http.StatusBadRequest, "Not a callback", "The callback cannot be read.", "Send what the provider's documentation says."},
	{"endpoint_disabled", http.StatusConflict, "The endpoint is disabled", "Nothing is sent to a disabled endpoint.", "Enable it first."},
	{"endpoint_limit", http.StatusConflict, "Too many endpoints", "A merchant can have only so many webhook endpoints.", "Delete one."},
	{"sequence_mismatch", http.StatusConflict, "It has changed meanwhile", "`If-Match` names another `sequence` (or `version`) than the present one; nothing was done.", "Read it again, decide again, send the new `ETag`."},
	{"idempotency_in_progress", http.StatusConflict, "The first request with this key is still running", "A request with the same Idempotency-Key has not been answered yet.", "Wait for `Retry-After` and send it again."},
	{"idempotency_key_reused", http.StatusUnprocessableEntity, "Idempotency-Key used for another request", "The key was used within 24 hours with another body or operation.", "Use a new key for a new request, the same key only for the same one."},
	{"answer_unreadable", http.StatusConflict, "Done before, and the answer cannot be read any more", "This very request was carried out; its stored answer is sealed with a secret that was retired since.", "Do not send it with a new key: that would do it twice. Read what it made, for example by your `reference`."},
	{"rate_limited", http.StatusTooManyRequests, "Too many requests", "The budget of this key or address is used up.", "Wait for `Retry-After`; `RateLimit` says what is left."},
	{"too_many_watchers", http.StatusTooManyRequests, "Too many watchers", "This order or address has as many watchers as it may have.", "Wait for `Retry-After`; share one connection between tabs."},
	{"overloaded", http.StatusServiceUnavailable, "As many watchers as this server carries", "The server as a whole is full, or about to stop.", "Wait for `Retry-After`; any other server may take you at once."},
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
