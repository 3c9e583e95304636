package notify

import "net/http"

// ServeFirehose streams all feeds of a merchant.
func (n *Notifier) ServeFirehose(w http.ResponseWriter, r *http.Request, merchant, principal, address string) error {
	return ErrNotFound
}
