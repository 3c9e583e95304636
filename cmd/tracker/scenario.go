package main

import (
	"context"
	"log/slog"
)

// scenario is one row of the list of cases that decide whether a tracker can be
// trusted, played over real HTTP against a complete tracker and its bank.
type scenario struct {
	Row  int    `json:"row"`
	Name string `json:"name"`
	Rule string `json:"rule"`
	play func(s *scene)
}

// scenarios lists all of them by row.
func scenarios() []scenario {
	return []scenario{
		{1, "duplicate-callback", "Fifty copies of one callback are one transition, and each gets a 2xx.", playDuplicate},
		{2, "renamed-callback", "The same message under another id changes nothing.", playRenamed},
		{3, "out-of-order", "Whatever order the bank's messages come in, the end is the same.", playOutOfOrder},
		{4, "early-callback", "A callback that comes before we know its payment is kept, and applied when we do.", playEarly},
		{5, "late-success", "Money that comes after the end goes back once, or stays where the policy says so.", playLate},
		{6, "two-tabs", "Of two payments for one order the first wins, and the second goes back.", playTwoTabs},
		{7, "lost-callback", "The bank never calls: we ask, within the budget, and nothing is overdue.", playLostCallback},
		{8, "silent-bank", "No answer is not a no: nobody pays twice unless the merchant insists.", playSilentBank},
		{9, "slow-guard", "Whether a second payment may begin is decided without asking the bank.", playSlowGuard},
		{10, "wrong-amount", "Another amount, currency or account is for a person to look at; nothing is shipped.", playWrongAmount},
		{11, "forged-callback", "Forged, altered, old and replayed callbacks get 401 and change nothing; a rotated secret works.", playForged},
		{12, "cancel-against-pay", "A cancel and a payment at once: never captured, cancelled and not refunded.", playCancelAgainstPay},
		{13, "expiry-against-pay", "The time to pay ends while money is on its way: paid, or expired and refunded.", playExpiryAgainstPay},
		{14, "reversed", "The bank takes the money back: it is announced, and the order goes on hold.", playReversed},
		{15, "concurrent-refunds", "Captures and refunds at once never exceed what there is.", playRefunds},
		{16, "refund-twice", "The same refund asked for twice is one refund.", playRefundTwice},
		{17, "currencies", "Amounts are minor units in every currency, at us and at the bank.", playCurrencies},
		{18, "return-page-lies", "What the address of the return page says is not believed.", playReturnPage},
		{19, "late-poll", "An old answer to a question never overwrites a final state.", playLatePoll},
		{20, "gentle-checks", "Questions to the bank grow rare, differ in time, keep a budget, and heed Retry-After.", playGentleChecks},
		{21, "carrier-events", "Repeated, skipped, late and foreign-time carrier events never move the headline back.", playCarrierEvents},
		{22, "partial-shipments", "Shipments are counted by item; more than ordered is a conflict.", playPartialShipments},
		{23, "cancel-after-shipping", "What is on its way cannot be cancelled, and the answer says where it is.", playCancelAfterShipping},
		{24, "two-systems", "Two systems change one order at once: one wins, the other learns the current sequence.", playTwoSystems},
		{25, "exception-after-delivery", "A delivery may be taken back once, and the closed feed goes on for whoever asks.", playExceptionAfterDelivery},
	}
}

// run plays the scenario in a new sandbox in dir. kills puts a restart into its
// middle. The error says what was not as promised.
func (sc scenario) run(ctx context.Context, h host, dir string, log *slog.Logger, env map[string]string, kills bool) (err error) {
	box, err := newSandbox(ctx, h, dir, log, env)
	if err != nil {
		return err
	}
	defer func() {
		if failed := box.close(); err == nil {
			err = failed
		}
	}()
	s, err := newScene(ctx, box)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	s.kills = kills
	defer func() {
		r := recover()
		if failed, ok := r.(notAsPromised); ok {
			err = failed.error
			return
		}
		if r != nil {
			panic(r)
		}
	}()
	s.until("the tracker is ready", func() bool { return box.ready(s.client) })
	sc.play(s)
	return nil
}
