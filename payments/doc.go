// Package payments is the payment domain: what a payment is, what may become of
// it, and who makes it so. It answers one question, "did it go through?", and is
// built never to answer it wrongly.
//
// It promises:
//
//   - No payment is stuck. Every payment that is not closed has a next check, and
//     [Counts].Overdue says how many were missed.
//   - Money adds up. Refunds never exceed what was captured; nothing stays
//     captured for a cancelled order; of two successes of one order one wins and
//     the other goes back.
//   - Silence is not failure. A bank that does not answer makes a payment unknown,
//     and only the bank's word ends that.
//   - Anything may arrive twice, late, early or out of order, and any process may
//     die between any two steps: each cause has its effect once.
//   - Every transition tells who caused it, on what evidence, when by the
//     provider's clock and when by ours.
//
// It does not promise that the bank is asked quickly: questions are spaced, and
// there is a budget of them for each payment. It does not notice by itself what
// happens at the bank to a payment that ended without money and of which the bank
// says nothing; the callback of such a late success does.
//
// How it fails: a request that does not fit is an [InvalidError], a state that
// does not allow it a [ConflictError] with that state, somebody else's payment
// ErrNotFound. A provider that is away costs time, not correctness: a command
// then returns the payment with its pending operation, which the reconciler
// carries on with. A store that is away is an error, and nothing happened.
//
// # How it works
//
// Everything that is learned or wanted is a [Fact]. [Ledger.Apply] is the one
// function that takes facts to state, and it is pure. [Service] carries facts to
// it: from callbacks, from answers to its own calls, from merchants, shoppers and
// the clock. A provider is never called inside a transaction: the intent is
// committed, the call is made with a key that is stable for this intent, and the
// answer is one more fact. After a crash the reconciler repeats the call.
//
// # The life of a payment
//
// Each status says in status.go who acts next.
//
//	created            → requires_action, processing, authorized, partially_captured, captured, failed, expired, cancelled, late_success, review
//	requires_action    → processing, authorized, partially_captured, captured, failed, expired, cancelled, late_success, review
//	processing         → authorized, partially_captured, captured, failed, unknown, late_success, review
//	unknown            → processing, authorized, partially_captured, captured, failed, late_success, review
//	authorized         → partially_captured, captured, voided, expired, late_success, review
//	partially_captured → partially_captured, captured, partially_refunded, refunded, reversed, review
//	captured           → partially_refunded, refunded, reversed, review
//	partially_refunded → refunded, reversed, review
//	refunded           → the end
//	failed             → late_success, review
//	expired            → late_success, review
//	cancelled          → late_success, review
//	voided             → late_success, review
//	late_success       → refund_pending, captured, partially_captured, reversed, review
//	refund_pending     → refunded, reversed, review
//	review             → authorized, partially_captured, captured, refund_pending, voided, reversed
//	reversed           → the end
//
// # The life of a refund
//
//	requested       → pending, requires_action, succeeded, failed, cancelled
//	pending         → requires_action, succeeded, failed, cancelled
//	requires_action → pending, succeeded, failed, cancelled
//	succeeded       → the end
//	failed          → the end
//	cancelled       → the end
//
// # How often the bank is asked
//
// The first question comes [Policy].After (90 s) after the last news. Each
// question without news doubles the gap, up to 40 times After (1 h); up to a fifth
// is added to all but the first, different for each payment. After
// [Policy].Budget questions (12), and for payments that only a person can move,
// the gap is 240 times After (6 h): slow, but never nothing. A waiting shopper
// brings one question per status forward. News begins the gaps anew, not the
// budget.
//
// All calls to a provider by the reconcilers of all processes together stay under
// [Options].Rate, and Retry-After silences all of them: both stand in the store
// (see [Pace]). What a merchant or a shopper does calls the provider at once and
// is not counted.
//
// # A third provider
//
// Implement [Provider], hand it to [NewService] under its name, and point its
// webhook at POST /v1/callbacks/{name}. What must hold: a repeated key has its
// effect once; messages that do not name the payment need a [Completer]; Cancel and Void report what the session is instead of failing when
// something else happened first; errors are told apart as [Provider] says, for an
// error that is read as a final no ends things; the callback is verified on the
// raw bytes. The provider's quirks of currency and naming end in its package.
//
// # Decisions
//
//   - The unit of compare-and-set is the [Ledger], all payments of one order. One
//     payment alone could not say which of two successes came first, nor a cancel
//     of the order stand against both.
//   - A second success, and a success after the order was closed, become
//     late_success from wherever they are; so every status before the money has
//     that arrow. Money for a cancelled order goes back under every policy.
//   - partially_captured may follow itself: another part was captured, which is a
//     transition with an event of its own. It is final in that nobody has to act.
//   - unknown is ended by the bank's word, in an answer or in a callback that is
//     news. Merchant, shopper and clock cannot end it.
//   - That a refund is pending at the provider is written down and not announced;
//     its end is. There is no event type for it, and nothing for anyone to do.
//   - A refund that had to happen and failed puts its payment into review: a
//     person must know.
//   - Ids and keys of refunds are functions of the payment and the cause, so that
//     two processes that find the same cause make the same refund.
//   - An authorization that comes after its payment ended is released, whatever
//     the policy: no money was taken, so there is nothing to keep.
//   - A review that is returned in another currency counts captured and refunded
//     in the reported currency. It can never be accepted.
//   - What is approved and not captured of a partially captured payment may be
//     captured or voided by the merchant, and nothing waits for it: it lapses at the
//     provider. The end of the order releases it. Voiding it announces nothing, as
//     the payment stays what it is: partially captured.
//   - A refund that a person made at the provider is taken into the books when
//     the provider tells of it: one per reference, with the cause "provider", as
//     events like any other. Where its money is promised to a refund of ours it
//     waits for the provider's no to that one. What is settled there for a payment
//     that waits for a person here is settled.
//   - An order has at most 50 payments, and a merchant makes at most 100 refunds of
//     one. The order's message carries all of its payments, a payment's all that
//     happened to it, and the ledger is read and locked as one.
//   - A payment's jitter is computed from its id and count instead of drawn, which
//     keeps the transition function pure and a test's run repeatable.
//
// It depends on nothing but the standard library, the event envelope and money.
package payments
