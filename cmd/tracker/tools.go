package main

// tools are the commands beside the server's own, which are in [commands]. Those
// for merchants speak the public API and nothing else, to any tracker, with a key.
type tools struct {
	Watch    watchCommand    `cmd:"" group:"Merchants, over the API" help:"Show the live timeline of an order or a payment."`
	Why      whyCommand      `cmd:"" group:"Merchants, over the API" help:"Tell why an order or a payment is in its state, and what is next."`
	Orders   ordersCommand   `cmd:"" group:"Merchants, over the API" help:"Create, show, list, cancel and ship orders."`
	Payments paymentsCommand `cmd:"" group:"Merchants, over the API" help:"Start, show, list, capture, void, cancel, refund and review payments."`
	Keys     keysCommand     `cmd:"" group:"Merchants, over the API" help:"Make, list and revoke keys."`
	Events   eventsCommand   `cmd:"" group:"Merchants, over the API" help:"Follow all events of all orders and payments."`
	Listen   listenCommand   `cmd:"" group:"Merchants, over the API" help:"Forward events to an address on this machine, signed as webhooks."`
	Trigger  triggerCommand  `cmd:"" group:"Merchants, over the API" help:"Make something happen in the sandbox."`

	Bench      benchCommand      `cmd:"" help:"Measure this machine: what the feed costs and how late it is."`
	Drill      drillCommand      `cmd:"" help:"Kill, pause and cut the parts of a deployment of its own, and check that nothing is lost."`
	DrillPart  drillPart         `cmd:"" hidden:"" help:"A process of a drill: started by drill."`
	Completion completionCommand `cmd:"" help:"Teach a shell to complete these commands."`
}
