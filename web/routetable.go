package web

import "tracker/web/apikeys"

// routes lists the operations of the roles that this process has: where and by
// what they are answered comes from the document, what they cost from here.
func (s *Server) routes() []route {
	var list []route
	if s.has(RoleOrders) && s.deps.Orders != nil {
		list = append(list, orderRoutes()...)
	}
	if s.has(RoleOrders) && s.deps.Merchants != nil {
		list = append(list, merchantRoutes()...)
	}
	if s.has(RolePayments) && s.deps.Payments != nil {
		list = append(list, paymentRoutes()...)
	}
	if s.has(RoleNotify) && s.deps.Feeds != nil {
		list = append(list, feedRoutes()...)
	}
	if s.has(RoleNotify) && s.deps.Webhooks != nil {
		list = append(list, s.webhookRoutes()...)
	}
	if s.has(RoleWeb) {
		list = append(list, route{op: "getDescription", access: anyone, budget: reads}, route{op: "getEventDescription", access: anyone, budget: reads})
	}
	operations := endpoints(s)
	for i := range list {
		list[i].endpoint = operations[list[i].op]
	}
	return list
}

func orderRoutes() []route {
	return []route{
		{op: "createOrder", access: merchant, scope: apikeys.Write, budget: writes, body: orderBody, repeat: inOne, makes: true},
		{op: "listOrders", access: merchant, scope: apikeys.Read, budget: reads},
		{op: "getOrder", access: shopper, scope: apikeys.Read, budget: reads},
		{op: "cancelOrder", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
		{op: "holdOrder", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
		{op: "releaseOrder", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
		{op: "rotateTrackingToken", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
		{op: "createShipment", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
		{op: "addCarrierEvent", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne},
	}
}

func merchantRoutes() []route {
	return []route{
		{op: "getMerchant", access: merchant, scope: apikeys.Read, budget: reads},
		{op: "changeMerchant", access: merchant, scope: apikeys.Write, budget: writes},
		{op: "listKeys", access: merchant, scope: apikeys.Read, budget: reads},
		{op: "createKey", access: merchant, scope: apikeys.Write, budget: writes, repeat: inOne, makes: true},
		{op: "revokeKey", access: merchant, scope: apikeys.Write, budget: writes},
	}
}

func paymentRoutes() []route {
	return []route{
		{op: "startPayment", access: shopper, scope: apikeys.Write, budget: writes, repeat: leased, makes: true},
		{op: "listPayments", access: shopper, scope: apikeys.Read, budget: reads},
		{op: "getPayment", access: shopper, scope: apikeys.Read, budget: reads},
		{op: "capturePayment", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased},
		{op: "voidPayment", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased},
		{op: "cancelPayment", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased},
		{op: "reviewPayment", access: merchant, scope: apikeys.Write, budget: writes, repeat: leased},
		{op: "createRefund", access: merchant, scope: apikeys.Refunds, budget: writes, repeat: leased},
		{op: "getRefund", access: merchant, scope: apikeys.Read, budget: reads},
		{op: "receiveCallback", access: anyone, budget: free},
	}
}

func feedRoutes() []route {
	return []route{
		{op: "followEverything", access: merchant, scope: apikeys.Read, budget: connects},
		{op: "followOrder", access: shopper, scope: apikeys.Read, budget: reads, watch: true},
		{op: "getOrderStatus", access: shopper, scope: apikeys.Read, budget: reads},
		{op: "followPayment", access: shopper, scope: apikeys.Read, budget: reads, watch: true},
		{op: "getPaymentStatus", access: shopper, scope: apikeys.Read, budget: reads},
	}
}

func (s *Server) webhookRoutes() []route {
	return []route{
		{op: "createWebhookEndpoint", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: inOne, before: s.prepareEndpoint, makes: true},
		{op: "listWebhookEndpoints", access: merchant, scope: apikeys.Webhooks, budget: reads},
		{op: "getWebhookEndpoint", access: merchant, scope: apikeys.Webhooks, budget: reads},
		{op: "changeWebhookEndpoint", access: merchant, scope: apikeys.Webhooks, budget: writes},
		{op: "deleteWebhookEndpoint", access: merchant, scope: apikeys.Webhooks, budget: writes},
		{op: "rotateWebhookSecret", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: inOne},
		{op: "listWebhookAttempts", access: merchant, scope: apikeys.Webhooks, budget: reads},
		{op: "replayWebhooks", access: merchant, scope: apikeys.Webhooks, budget: writes, repeat: leased},
	}
}
