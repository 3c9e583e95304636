// Package stripepay is the payments.Provider for Stripe, by way of Checkout: the
// shopper is sent to Stripe's page and comes back, and no card number ever
// passes through here. Needed: a secret key, one or two webhook secrets, and a
// webhook endpoint at Stripe that sends to /v1/callbacks/stripe the types that
// [Provider.ParseCallback] understands.
//
// The reference of a payment is the Checkout Session's id; the PaymentIntent
// behind it is looked up, because Stripe makes it only when the shopper pays.
// Every write carries the caller's key as Idempotency-Key. Stripe keeps those for
// 24 hours; a refund, which may be repeated later, is looked for before.
//
// It promises the words of payments.Provider: what is certain not to have
// happened is ErrRejected or ErrUnavailable, everything else ErrTimeout. It does
// not retry (the reconciler does, with its budget), follows no redirect, reads at
// most 2 MB of an answer, logs nothing and puts no text of Stripe's into errors
// but codes.
//
// # What Stripe does differently
//
//   - Amounts: see [toStripe]. Stripe counts krónur and shillings in hundredths
//     and ariary in whole, wants three-decimal amounts to end in 0, and does not
//     take every currency. An amount it cannot express is refused, never rounded.
//   - A decline is not the end: the shopper stays on Stripe's page and may try
//     another card. Only an asynchronous method that fails ends the payment.
//   - One capture per payment: what a partial capture leaves is released by it. A
//     second capture is refused, and releasing the rest changes nothing more.
//   - A session lives 24 hours unless it is cancelled. Stripe refuses ends that
//     are less than 30 minutes away, and a repeated request must carry the very
//     same parameters, so none is asked for; the payments package cancels what
//     has expired.
//   - Refunds of ours are known by their metadata. A refund that was made in the
//     dashboard, and a dispute, name only the intent: [Provider.Complete] asks what
//     that has become, and so they are found whose they are. A disputed charge
//     reads as reversed, since Stripe takes the money when a dispute opens.
//
// # How it is tested
//
// Every request goes to stripe-mock, which checks it against Stripe's own
// description of its API and answers with Stripe's examples; it is built by the
// test as a program of its own, and is no dependency of this module. stripe-mock
// keeps nothing, so the life of a payment is played against a fake, whose objects
// may have no member that Stripe's lack. Messages are signed by stripe-go's own
// helper for tests.
//
// # Decisions
//
//   - stripe-go for the wire: forms, versions, errors and signatures are theirs
//     to keep right. Its package-level client, key and backends are not used:
//     each [Provider] has its own, with its own address, so that tests meet a
//     server of their own and nothing is shared.
//   - Checkout rather than our own card form over PaymentIntents: it needs no
//     script of Stripe's on our pages, whose policy allows none.
//   - The signature is checked by stripe-go, the time by us: theirs reads the
//     machine's clock, and accepts any time in the future.
//   - Events are read whatever API version they were made in. What is read of
//     them (ids, amounts, statuses, metadata) has not changed in years, and a
//     version that differs is no reason to lose a payment.
//   - Adaptive pricing is switched off: it would let the shopper pay another
//     currency than the order's, which reads as a mismatch.
package stripepay
