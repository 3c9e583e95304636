package notify

import "net/http"

func (n *Notifier) serveWebSocket(http.ResponseWriter, *http.Request, Access, asked) error {
	return ErrOrigin
}
