// Package payments is the payment domain.
//
// The service's methods, on [Service] (see also [Provider] and [OrderBook]):
//
//	NewService(store Store, providers map[string]Provider, book OrderBook, opt Options) *Service
//	Start(ctx, Start) (Payment, error)
//	Get(ctx, merchant, id) (Payment, error)                List(ctx, merchant, Filter) (Page, error)
//	Capture(ctx, Command, amount int64) (Payment, error)   // 0 = all that is approved
//	Void(ctx, Command) (Payment, error)                    Cancel(ctx, Command) (Payment, error)
//	Review(ctx, Command, Decision) (Payment, error)
//	Refund(ctx, NewRefund) (Refund, Payment, error)        GetRefund(ctx, merchant, id) (Refund, error)
//	Callback(ctx, provider, header map[string][]string, body []byte) error
//	Nudge(ctx, merchant, id) error
//	OnOrder(ctx, eventwire.Event) error
//	Newest(ctx, merchant, id) (eventwire.Event, error)     EachNewest(ctx, fn func(eventwire.Event) error) error
//	Counts(ctx) (Counts, error)                            Payable is asked of the OrderBook
//	RunReconciler(ctx) error                               Reconcile(ctx) (int, error)  // one pass over what is due
//	Wake()                                                 // look again now, as after a moved clock
package payments
