package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/orders"
)

// shipmentView is the answer to a change of a shipment: the shipment, and where
// the order stands now.
type shipmentView struct {
	orders.ShipmentSummary
	OrderID string    `json:"order_id"`
	Order   orderView `json:"order"`
}

func (s *Server) createShipment(ctx context.Context, c echo.Context, in newShipmentBody) (answer, error) {
	if err := notEmpty("/items", in.Items); err != nil {
		return answer{}, err
	}
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	order, shipment, err := s.deps.Orders.Ship(ctx, p.key.Merchant, c.Param("id"), orders.NewShipment{
		Carrier: in.Carrier, TrackingNumber: in.TrackingNumber, Items: in.Items,
		EstimatedFrom: in.EstimatedFrom, EstimatedTo: in.EstimatedTo, IfSequence: seq,
	})
	if err != nil {
		return answer{}, err
	}
	return s.shipmentAnswer(http.StatusCreated, p, order, shipment)
}

func (s *Server) addCarrierEvent(ctx context.Context, c echo.Context, in newCarrierEventBody) (answer, error) {
	seq, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	order, shipment, err := s.deps.Orders.CarrierEvent(ctx, p.key.Merchant, c.Param("id"), orders.CarrierEvent{
		Status: in.Status, OccurredAt: in.OccurredAt.UTC().Truncate(time.Millisecond), Location: in.Location, Description: in.Description,
		EstimatedFrom: in.EstimatedFrom, EstimatedTo: in.EstimatedTo, IfSequence: seq,
	})
	if err != nil {
		return answer{}, err
	}
	return s.shipmentAnswer(http.StatusCreated, p, order, shipment)
}

func (s *Server) shipmentAnswer(status int, p principal, order orders.Order, shipment orders.Shipment) (answer, error) {
	v, err := s.view(p, order)
	if err != nil {
		return answer{}, err
	}
	v.Timeline = nil
	a, err := reply(status, shipmentView{ShipmentSummary: shipment.Described(), OrderID: order.ID, Order: v})
	if err != nil {
		return answer{}, err
	}
	return a.tagged(order.Sequence), nil
}
