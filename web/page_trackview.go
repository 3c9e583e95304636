package web

import (
	"tracker/orders"
)

// trackView is the order page as words. The template and the script draw the
// same one.
type trackView struct {
	headline
	Steps   []step       `json:"steps"`
	Money   []moneyLine  `json:"money"`
	Parcels []parcelCard `json:"parcels"`
	Unsent  []text       `json:"unsent"`
	Log     []entry      `json:"log"`
	Items   []itemLine   `json:"items"`
	Total   text         `json:"total"`
}

type itemLine struct {
	What   text `json:"what"`
	Amount text `json:"amount"`
}

type parcelCard struct {
	ID      string `json:"id"`
	Title   text   `json:"title"`
	Tone    string `json:"tone"`
	Status  text   `json:"status"`
	Carrier string `json:"carrier"`
	Number  string `json:"number"`
	URL     string `json:"url"`
	When    text   `json:"when"`
	Items   []text `json:"items"`
}

func (d describer) trackView() trackView {
	h := d.headline()
	v := trackView{
		headline: h, Steps: d.steps(h), Money: d.moneyLines(), Parcels: d.parcelCards(), Unsent: []text{},
		Log: d.log(), Items: d.items(), Total: d.value(d.sum(d.Order.Amount), ""),
	}
	if len(v.Parcels) > 0 && d.Order.Status != orders.StatusCancelled {
		v.Unsent = d.unsent()
	}
	return v
}

func (d describer) items() []itemLine {
	list := make([]itemLine, len(d.Order.Items))
	for i, item := range d.Order.Items {
		list[i] = itemLine{What: d.line(item.Quantity, item.Name), Amount: d.value(d.sum(item.Quantity*item.UnitAmount), "")}
	}
	return list
}

func (d describer) parcelCards() []parcelCard {
	list := d.parcels()
	cards := make([]parcelCard, len(list))
	for i, p := range list {
		c := parcelCard{
			ID: p.ID, Title: d.say("parcel", nil), Tone: parcelTone(p.Status), Carrier: p.Carrier, Number: p.TrackingNumber,
			URL: p.TrackingURL, Status: d.say("p_"+string(p.Status), args{"carrier": d.carrier(p)}), Items: d.contents(p),
		}
		if len(list) > 1 {
			c.Title = d.say("parcel_n", args{"i": i + 1, "n": len(list)})
		}
		if !p.Status.Ended() {
			c.When = d.expected(p)
		}
		if p.Status == orders.ShipmentDelivered {
			c.When = d.value(scanTime(p, p.Status), "moment")
		}
		cards[i] = c
	}
	return cards
}

func (d describer) expected(p orders.ShipmentSummary) text {
	from, to := d.dates(p)
	switch {
	case to == "":
		return nil
	case from == "":
		return d.say("expected_day", args{"day": to})
	}
	return d.say("expected_range", args{"from": from, "to": to})
}

// contents are the parcel's items by the names of the order's lines.
func (d describer) contents(p orders.ShipmentSummary) []text {
	list := make([]text, len(p.Items))
	for i, item := range p.Items {
		label := item.SKU
		for _, known := range d.Order.Items {
			if known.SKU == item.SKU {
				label = known.Name
				break
			}
		}
		list[i] = d.line(item.Quantity, label)
	}
	return list
}

func parcelTone(s orders.ShipmentStatus) string {
	switch {
	case s == orders.ShipmentDelivered:
		return "good"
	case inTrouble(s):
		return troubleTone(s)
	case s == orders.ShipmentReturnedToSender:
		return "warn"
	case s == orders.ShipmentPending, s == orders.ShipmentLabelCreated:
		return "done"
	}
	return "active"
}

// title is what the browser's tab says: the state first, so that a tab in the
// background tells it too.
func (d describer) title(h headline) string {
	return h.Title.String() + " - " + d.say("order_n", args{"ref": name(d.Order.Reference)}).String() + " - " + d.Order.Shop.Name
}
