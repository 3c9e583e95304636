package main

import (
	"context"
	"errors"
	"fmt"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

type triggerBankRefund struct {
	onePayment
	bankDoor
	Amount int64 `placeholder:"MINOR" help:"In minor units. Default: all that is left."`
}

// Run makes the refund at the bank. What the tracker makes of it arrives by the
// bank's callback.
func (c *triggerBankRefund) Run(ctx context.Context, out *console) error {
	base, secret, err := c.key(out)
	if err != nil {
		return err
	}
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	var p paymentView
	if err := api.call(ctx, "GET", c.path(), nil, &p); err != nil {
		return err
	}
	bank, err := sandboxbank.NewClient(base, secret, requestTimeout, nil)
	if err != nil {
		return err
	}
	r, err := bank.RefundAtBank(ctx, p.Reference, sandboxbank.BankRefundRequest{Amount: c.Amount})
	var refused *payments.RejectedError
	if errors.As(err, &refused) {
		return fmt.Errorf("the bank refuses: %s", refused.Code)
	}
	if err != nil {
		return fmt.Errorf("the bank at %s does not answer: %w", base, err)
	}
	fmt.Fprintf(out.stdout, "%s  the bank sends back %s\n  see what came of it with: tracker why %s\n", p.ID, moneyText(r.Amount, p.Currency), p.ID)
	return nil
}
