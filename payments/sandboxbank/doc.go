// Package sandboxbank is a bank that misbehaves on request, and the
// payments.Provider that talks to it. They are two parties: the [Bank] has its
// own listener, its own state and its own page, and everything between the two
// goes over HTTP as it would with a real one. No code of the shop reads the
// bank's memory.
//
// # The bank
//
// [New] opens it, ServeHTTP is its API and its page, [Bank.Run] is what it does
// by itself: calling the shop back, approving late, taking money back.
//
//	POST /sessions                    open a session; one per payment, however often asked
//	GET  /sessions/{id}               what became of it
//	POST /sessions/{id}/capture       {amount?}, header Idempotency-Key
//	POST /sessions/{id}/void          release what is reserved
//	POST /sessions/{id}/cancel        end what nobody has decided
//	POST /sessions/{id}/refunds       {amount?, reference?}, header Idempotency-Key; GET lists them
//	POST /sessions/{id}/decide        {decision}: the page's form as JSON
//	POST /sessions/{id}/bank_refunds  {amount?}: somebody at the bank sends money back
//	POST /faults                      {kind, for?, count?, match?, delay?}; GET lists, DELETE clears
//	GET  /pay/{session}, POST         the page, and its form decision=…
//
// The API takes the shared secret as Bearer token. The page takes nothing: its
// address holds 128 random bits.
//
// It promises: what it answered is on disk (an append-only journal with fsync,
// many changes to one fsync); a decision is made once; a callback is delivered at
// least once, also after kill -9, in the order that the decision means, unless
// the shop refuses it 12 times; captures never exceed what is reserved, refunds
// never what was captured. It does not promise faults across a restart: they are
// in memory. One process at a time may have a journal open; nothing checks that. It fails closed: when the journal cannot be written, every change
// is answered 500 until somebody restarts it.
//
// Callbacks are sent for what the customer or the bank did. One about a refund of
// the bank's own is payment.refunded, with the refund's sum as its amount, and
// refund and refund_status beside it. What the shop did by
// the API (capture, void, cancel, refund) is in that call's answer and in the
// status; the shop is not called about it.
//
// # The provider
//
// [Provider] keeps the words of payments.Provider. An answer that is HTML,
// empty, too long, cut off, slow or about another session is ErrTimeout: it may
// have happened, and nobody knows. 503 and 429 are ErrUnavailable, with the time
// to wait; so is a connection that could not be made, for then nothing was sent.
//
// # Adding a third provider
//
//  1. A package payments/<name>pay with a type that implements
//     payments.Provider; copy the shape of stripepay, the smaller of the two.
//  2. Amounts: what we call a minor unit is ISO 4217's. Where theirs differs,
//     translate in one pair of functions and test it over money.Currencies.
//  3. Errors: three of them, by one question: can it have happened? No and never:
//     ErrRejected. Not now: ErrUnavailable. Perhaps: ErrTimeout.
//  4. Callbacks: verify the raw bytes before reading them. A type that means
//     nothing is a Callback without a Report.
//  5. Add a fixture to TestProviders in stripepay/conformance_test.go; what it
//     checks is what the payments package relies on.
//  6. Wire it in cmd/tracker.
//
// # Decisions
//
//   - Standard Webhooks is signed and verified here (signature.go) and not by the
//     module of the same name: that takes one key, has no clock to inject, and
//     its tolerance is a package variable. The module is the oracle in the
//     tests: each side must accept what the other one signed.
//   - No third-party code at all. net/http routes, html/template and one file
//     are enough for a bank of this size.
//   - The journal is JSON lines: each line is the new state of what changed, so
//     that replay is assignment and a repeated line does no harm. A torn last
//     line is dropped, a bad line in the middle is an error. It is rewritten when
//     it is opened and when it has grown fourfold.
//   - approve_late survives a cancel and an expiry. That is the case the shop has
//     to get right: money that comes after everything was over.
//   - approve_wrong_amount halves the sum, and the bank really has taken that
//     much: its status and its callback agree. The API's decide takes any other
//     sum, currency or payee.
//   - unavailable does not decide: the API is out of order for a while, and the
//     session waits for a decision as before.
//   - One clock, handed in. Run looks at it at least every 50 ms while anything
//     is due, because tests move it; an idle bank looks once a second.
package sandboxbank
