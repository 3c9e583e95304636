package sandboxbank_test

import (
	"testing"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func TestBankRefund(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	if status, body := h.post("/sessions/"+id+"/bank_refunds", secretA, `{}`); status != 409 {
		t.Errorf("before there is money: %d %s", status, body)
	}
	h.decide(id, sandboxbank.Approve)
	h.shop.next(t)
	for _, wrong := range []struct {
		body   string
		status int
	}{{`{"amount":4199}`, 409}, {`{"amount":-1}`, 409}, {`{"amount":"1"}`, 400}, {`{"reference":"ref_1"}`, 400}} {
		if status, body := h.post("/sessions/"+id+"/bank_refunds", secretA, wrong.body); status != wrong.status {
			t.Errorf("%s: %d %s", wrong.body, status, body)
		}
	}
	for _, amount := range []int64{1000, 3198} {
		asked := amount % 3198 // 0 is all that is left
		if made, err := h.client.RefundAtBank(t.Context(), id, sandboxbank.BankRefundRequest{Amount: asked}); err != nil || made.Amount != amount {
			t.Fatalf("%+v, %v", made, err)
		}
		c := h.verified(h.shop.next(t))
		if c.Type != "payment.refunded" || c.Payment != "pay_1" || c.Report.State != payments.ReportNothing || c.Report.Transfers[0].Amount != amount {
			t.Errorf("%+v %+v", c, *c.Report)
		}
	}
	if r := h.status(id); r.State != payments.ReportCaptured || len(r.Transfers) != 2 || r.Transfers[1].Amount != 3198 || r.Transfers[1].Refund != "" {
		t.Errorf("%+v", r)
	}
	h.quiet()
}
