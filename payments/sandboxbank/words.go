package sandboxbank

// choice is one button of the page with the two lines under it.
type choice struct {
	Decision      Decision
	Button        string
	Does, YouSee  string
	Group         string
	First, Pushed bool // First opens its group; Pushed is the primary button
}

// choices are the words of the page, in its order.
func choices() []choice {
	return []choice{
		{Approve, "Approve", "Calls the shop at once.", "Paid, at once.", "Ordinary", true, true},
		{Decline, "Decline", "Says no.", "Declined, with another try.", "Ordinary", false, false},
		{Pend, "Say nothing yet", "Keeps the shop waiting until you decide; come back to this page.", "Waiting, then: still asking.", "Slow", true, false},
		{ApproveSilent, "Approve, but never call back", "Takes the money and stays silent.", "Paid, as soon as the shop asks by itself.", "Slow", false, false},
		{ApproveLate, "Approve too late", "Approves after the payment has run out.", "Closed, then: going back to you.", "Slow", false, false},
		{ApproveTwice, "Approve, and say it three times", "Sends the same message twice and once more under a new number.", "Paid. Once.", "Confusing", true, false},
		{ApproveReordered, "Approve, then an old message", "An older “processing” arrives after the success.", "Paid, and it stays paid.", "Confusing", false, false},
		{ApproveWrongAmount, "Approve another amount", "Reports a different sum.", "The shop is checking.", "Wrong", true, false},
		{ApproveThenReverse, "Approve, then take it back", "Says yes, and revokes it a little later.", "Paid, then: taken back, on hold.", "Wrong", false, false},
		{Unavailable, "Be out of order", "Answers every question with 503 for a while.", "We could not reach the bank, or: still asking.", "Broken", true, false},
	}
}

// group is a heading of the page and the buttons under it.
type group struct {
	Name    string
	Choices []choice
}

func groups() []group {
	var list []group
	for _, c := range choices() {
		if c.First {
			list = append(list, group{Name: c.Group})
		}
		last := &list[len(list)-1]
		last.Choices = append(last.Choices, c)
	}
	return list
}
