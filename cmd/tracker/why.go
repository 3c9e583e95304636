package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// whyCommand tells why an order or a payment is in its state.
type whyCommand struct {
	remote
	ID string `arg:"" name:"id" help:"An order (ord_…) or a payment (pay_…)."`
}

// Help is the longer help of the command.
func (whyCommand) Help() string {
	return `Tells the timeline as a story: what happened when, on whose word, what proves
it, how long it took, and what happens next and when. All times are UTC; the
bank's or carrier's own time is given where it differs from ours.`
}

// Run tells the story.
func (c *whyCommand) Run(ctx context.Context, out *console) error {
	path, err := resource(c.ID)
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.ID, "pay_") {
		return fetch(ctx, out, c.remote, path, tellPayment)
	}
	return fetch(ctx, out, c.remote, path, tellOrder)
}

func tellPayment(w io.Writer, p paymentView) {
	fmt.Fprintf(w, "%s, of order %s, is %s: %s\n", p.ID, p.OrderID, p.Status, meaning(paymentMeanings(), p.Status))
	fmt.Fprintf(w, "%s asked for", moneyText(p.Amount, p.Currency))
	for _, part := range []struct {
		amount int64
		word   string
	}{{p.Captured, "taken"}, {p.Refunded, "given back"}, {p.RefundPending, "on the way back"}} {
		if part.amount > 0 {
			fmt.Fprintf(w, ", %s %s", moneyText(part.amount, p.Currency), part.word)
		}
	}
	fmt.Fprintln(w, ".")
	if p.Reported != nil {
		fmt.Fprintf(w, "The bank reported %s instead.\n", moneyText(p.Reported.Amount, firstOf(p.Reported.Currency, p.Currency)))
	}
	if p.DeclineCode != "" {
		fmt.Fprintf(w, "The bank's reason: %s.\n", p.DeclineCode)
	}
	tellTimeline(w, p.Timeline)
	fmt.Fprintf(w, "\nWhat is next\n")
	tellChecks(w, p)
	for _, r := range p.Refunds {
		why := ""
		if r.Reason != "" {
			why = " (" + r.Reason + ")"
		}
		fmt.Fprintf(w, "  Refund %s of %s%s is %s since %s.\n", r.ID, moneyText(r.Amount, p.Currency), why, r.Status, timeText(r.UpdatedAt))
	}
	if p.Reference != "" {
		fmt.Fprintf(w, "  At %s it is known as %s.\n", p.Provider, p.Reference)
	}
}

func tellChecks(w io.Writer, p paymentView) {
	asked := "The bank has not been asked yet."
	if p.Checks > 0 {
		asked = fmt.Sprintf("The bank was asked %s", countText(p.Checks))
		if p.LastCheckAt != nil {
			asked += ", last at " + timeText(*p.LastCheckAt)
		}
		asked += "."
	}
	switch {
	case p.NextCheckAt != nil:
		fmt.Fprintf(w, "  %s The next check is at %s.\n", asked, timeText(*p.NextCheckAt))
	case p.Checks > 0:
		fmt.Fprintf(w, "  %s No further check is needed.\n", asked)
	default:
		fmt.Fprintln(w, "  Nothing has to be checked.")
	}
	if p.Status == "created" || p.Status == "requires_action" {
		fmt.Fprintf(w, "  It runs out at %s.\n", timeText(p.ExpiresAt))
	}
}

func tellOrder(w io.Writer, o orderView) {
	fmt.Fprintf(w, "%s (%s) is %s, %s and %s.\n", o.ID, o.Reference, o.Status, o.PaymentStatus, o.FulfillmentStatus)
	fmt.Fprintln(w, firstUpper(meaning(orderMeanings(), o.Status)))
	if o.CancelledBy != "" {
		fmt.Fprintf(w, "It was cancelled by: %s", o.CancelledBy)
		if o.CancelReason != "" {
			fmt.Fprintf(w, " (%s)", o.CancelReason)
		}
		fmt.Fprintln(w, ".")
	}
	tellTimeline(w, o.Timeline)
	fmt.Fprintf(w, "\nWhat is next\n")
	if o.WaitsFor == "" || o.WaitsFor == "nobody" {
		fmt.Fprintln(w, "  Nothing: nobody has to act.")
	} else {
		fmt.Fprintf(w, "  It waits for %s.\n", waits(o))
	}
	if o.Status == "pending_payment" {
		fmt.Fprintf(w, "  It can be paid until %s.\n", timeText(o.PayBy))
	}
	if o.RefundDue > 0 {
		fmt.Fprintf(w, "  %s have to be given back.\n", moneyText(o.RefundDue, o.Currency))
	}
	for _, p := range o.Payments {
		next := ""
		if p.NextCheckAt != nil {
			next = ", to be checked at " + timeText(*p.NextCheckAt)
		}
		fmt.Fprintf(w, "  Payment %s of %s is %s%s.  (tracker why %s)\n", p.ID, moneyText(p.Amount, o.Currency), p.Status, next, p.ID)
	}
	for _, s := range o.Shipments {
		fmt.Fprintf(w, "  Parcel %s (%s %s) is %s.\n", s.ID, s.Carrier, s.TrackingNumber, s.Status)
	}
}

func tellTimeline(w io.Writer, list []transitionView) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\nHow it came about (%s, UTC)\n", list[0].At.UTC().Format("Monday 2 January 2006"))
	for i, t := range list {
		after := ""
		if i > 0 {
			after = "+" + lapse(t.At.Sub(list[i-1].At))
		}
		fmt.Fprintf(w, "%3d  %s %9s  %s\n", t.Seq, t.At.UTC().Format(clockLayout), after, sentence(t))
	}
}

// sentence says what changed and on whose word.
func sentence(t transitionView) string {
	var b strings.Builder
	what := strings.ReplaceAll(t.Type[strings.Index(t.Type, ".")+1:], "_", " ")
	switch {
	case t.From == "" && t.Seq == 1:
		fmt.Fprintf(&b, "It began as %s", t.To)
	case t.From == "":
		b.WriteString(firstUpper(what))
	case t.From == t.To:
		fmt.Fprintf(&b, "%s (still %s)", firstUpper(what), t.To)
	default:
		fmt.Fprintf(&b, "From %s to %s", t.From, t.To)
	}
	if t.Subject != "" {
		fmt.Fprintf(&b, " (%s)", t.Subject)
	}
	cause := t.Cause
	if cause == "callback" && strings.HasPrefix(t.Type, "order.") {
		cause = "carrier" // who else calls about an order
	}
	b.WriteString(": " + meaning(causes(), cause))
	if t.Evidence != "" {
		b.WriteString(" [" + t.Evidence + "]")
	}
	if t.TheirTime != nil {
		if late := t.At.Sub(*t.TheirTime); late >= time.Second || late <= -time.Second {
			fmt.Fprintf(&b, "; they say at %s", timeText(*t.TheirTime))
		}
	}
	return b.String() + "."
}

// causes say on whose word a transition was made.
func causes() map[string]string {
	return map[string]string{
		"callback": "the bank called us", "poll": "the bank told us when we asked", "merchant": "the merchant asked for it",
		"shopper": "the shopper did it", "timer": "the time was over", "operator": "an operator did it",
		"payment": "a payment of it changed", "order": "its order changed", "carrier": "the carrier reported it",
	}
}

func paymentMeanings() map[string]string {
	return map[string]string{
		"created":            "nobody has gone to the bank yet.",
		"requires_action":    "the shopper has to confirm it at the bank.",
		"processing":         "the bank has it and has not decided.",
		"authorized":         "the money is reserved; the merchant has to capture it.",
		"partially_captured": "a part of the reserved money was taken.",
		"captured":           "the money was taken.",
		"partially_refunded": "a part of the money was given back.",
		"refunded":           "all the money was given back.",
		"failed":             "the bank said no; nothing was taken.",
		"expired":            "nobody confirmed it in time; nothing was taken.",
		"cancelled":          "it was called off; nothing was taken.",
		"voided":             "the reserved money was released.",
		"unknown":            "the bank does not answer; it may have happened, and only the bank can tell.",
		"late_success":       "the bank took the money after it was too late.",
		"refund_pending":     "the money is on its way back.",
		"review":             "what the bank reports does not add up; the merchant has to decide.",
		"reversed":           "the bank took the money back.",
	}
}

func orderMeanings() map[string]string {
	return map[string]string{
		"pending_payment": "it has not been paid in full.",
		"confirmed":       "it is paid and has to be delivered.",
		"completed":       "everything was delivered.",
		"cancelled":       "it was called off.",
		"expired":         "it was not paid in time.",
	}
}

// meaning looks a word up; a newer server may have words that we do not know.
func meaning(words map[string]string, word string) string {
	if text, ok := words[word]; ok {
		return text
	}
	return strings.ReplaceAll(word, "_", " ")
}

func firstUpper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func countText(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// lapse is a duration in a form that stays short.
func lapse(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 24*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dd%s", d/(24*time.Hour), (d % (24 * time.Hour)).Round(time.Hour))
}
