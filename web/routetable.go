package web

import (
	"net/http"

	"tracker/notify/eventwire"
	"tracker/web/apikeys"
)

// routes lists the operations of the roles that this process has.
func (s *Server) routes() []route {
	var list []route
	if s.has(RoleOrders) && s.deps.Orders != nil {
		list = append(list, s.orderRoutes()...)
	}
	if s.has(RoleOrders) && s.deps.Merchants != nil {
		list = append(list, s.merchantRoutes()...)
	}
	if s.has(RolePayments) && s.deps.Payments != nil {
		list = append(list, s.paymentRoutes()...)
	}
	if s.has(RoleNotify) && s.deps.Feeds != nil {
		list = append(list, s.feedRoutes()...)
	}
	if s.has(RoleNotify) && s.deps.Webhooks != nil {
		list = append(list, s.webhookRoutes()...)
	}
	if s.has(RoleWeb) {
		list = append(list, route{method: http.MethodGet, path: "/openapi.json", access: anyone, budget: reads, stream: s.openAPI})
	}
	return list
}

func (s *Server) orderRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/v1/orders", access: merchant, scope: apikeys.Write, budget: writes, body: orderBody, repeat: inOne, do: s.createOrder},
		{method: http.MethodGet, path: "/v1/orders", access: merchant, scope: apikeys.Read, budget: reads, do: s.listOrders},
		{method: http.MethodGet, path: "/v1/orders/:id", access: shopper, scope: apikeys.Read, budget: reads, do: s.getOrder},
		{method: http.MethodPost, path: "/v1/orders/:id/cancel", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.cancelOrder},
		{method: http.MethodPost, path: "/v1/orders/:id/hold", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.holdOrder},
		{method: http.MethodPost, path: "/v1/orders/:id/release", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.releaseOrder},
		{method: http.MethodPost, path: "/v1/orders/:id/token", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.rotateToken},
		{method: http.MethodPost, path: "/v1/orders/:id/shipments", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.createShipment},
		{method: http.MethodPost, path: "/v1/shipments/:id/events", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.addCarrierEvent},
	}
}

func (s *Server) merchantRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/v1/merchant", access: merchant, scope: apikeys.Read, budget: reads, do: s.getMerchant},
		{method: http.MethodPatch, path: "/v1/merchant", access: merchant, scope: apikeys.Write, budget: writes, do: s.changeMerchant},
		{method: http.MethodGet, path: "/v1/keys", access: merchant, scope: apikeys.Read, budget: reads, do: s.listKeys},
		{method: http.MethodPost, path: "/v1/keys", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, do: s.createKey},
		{method: http.MethodDelete, path: "/v1/keys/:id", access: merchant, scope: apikeys.Write, budget: writes, do: s.revokeKey},
	}
}

func (s *Server) paymentRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/v1/payments", access: shopper, scope: apikeys.Write, budget: writes, repeat: leased, do: s.startPayment},
		{method: http.MethodGet, path: "/v1/payments", access: shopper, scope: apikeys.Read, budget: reads, do: s.listPayments},
		{method: http.MethodGet, path: "/v1/payments/:id", access: shopper, scope: apikeys.Read, budget: reads, do: s.getPayment},
		{method: http.MethodPost, path: "/v1/payments/:id/capture", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased, do: s.capturePayment},
		{method: http.MethodPost, path: "/v1/payments/:id/void", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased, do: s.voidPayment},
		{method: http.MethodPost, path: "/v1/payments/:id/cancel", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased, do: s.cancelPayment},
		{method: http.MethodPost, path: "/v1/payments/:id/review", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased, do: s.reviewPayment},
		{method: http.MethodPost, path: "/v1/refunds", access: merchant, scope: apikeys.Refunds, budget: writes, repeat: leased, do: s.createRefund},
		{method: http.MethodGet, path: "/v1/refunds/:id", access: merchant, scope: apikeys.Read, budget: reads, do: s.getRefund},
		{method: http.MethodPost, path: "/v1/callbacks/:provider", access: anyone, budget: free, do: s.callback},
	}
}

func (s *Server) feedRoutes() []route {
	list := []route{{method: http.MethodGet, path: "/v1/events", access: merchant, scope: apikeys.Read, budget: connects, stream: s.firehose}}
	for _, kind := range eventwire.Kinds() {
		base := "/v1/" + kind.Plural() + "/:id"
		list = append(list,
			route{method: http.MethodGet, path: base + "/events", access: shopper, scope: apikeys.Read, budget: reads, watch: true, stream: s.feed(kind, s.deps.Feeds.ServeFeed)},
			route{method: http.MethodGet, path: base + "/status", access: shopper, scope: apikeys.Read, budget: reads, stream: s.feed(kind, s.deps.Feeds.ServeStatus)})
	}
	return list
}

func (s *Server) webhookRoutes() []route {
	return []route{
		// Leased, not in one transaction: the address of the endpoint is resolved on
		// the way, and the database must not wait for a name server.
		{method: http.MethodPost, path: "/v1/webhook_endpoints", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: leased, do: s.createEndpoint},
		{method: http.MethodGet, path: "/v1/webhook_endpoints", access: merchant, scope: apikeys.Webhooks, budget: reads, do: s.listEndpoints},
		{method: http.MethodGet, path: "/v1/webhook_endpoints/:id", access: merchant, scope: apikeys.Webhooks, budget: reads, do: s.getEndpoint},
		{method: http.MethodPatch, path: "/v1/webhook_endpoints/:id", access: merchant, scope: apikeys.Webhooks, budget: writes, do: s.changeEndpoint},
		{method: http.MethodDelete, path: "/v1/webhook_endpoints/:id", access: merchant, scope: apikeys.Webhooks, budget: writes, do: s.deleteEndpoint},
		{method: http.MethodPost, path: "/v1/webhook_endpoints/:id/rotate_secret", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: inOne, do: s.rotateSecret},
		{method: http.MethodGet, path: "/v1/webhook_endpoints/:id/attempts", access: merchant, scope: apikeys.Webhooks, budget: reads, do: s.listAttempts},
		{method: http.MethodPost, path: "/v1/webhook_endpoints/:id/replay", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: leased, do: s.replayEvents},
	}
}
