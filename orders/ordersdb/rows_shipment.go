package ordersdb

import "tracker/orders"

type shipmentRow struct {
	ID             string
	Merchant       string
	OrderID        string
	Carrier        string
	TrackingNumber string
	TrackingURL    string `gorm:"column:tracking_url"`
	Status         string
	PlannedFrom    string
	PlannedTo      string
	EstimatedFrom  string
	EstimatedTo    string
	CreatedAt      int64 `gorm:"autoCreateTime:false"`
	UpdatedAt      int64 `gorm:"autoUpdateTime:false"`
}

func (shipmentRow) TableName() string { return "shipments" }

func toShipmentRow(merchant string, s orders.Shipment) shipmentRow {
	return shipmentRow{ID: s.ID, Merchant: merchant, OrderID: s.OrderID, Carrier: s.Carrier,
		TrackingNumber: s.TrackingNumber, TrackingURL: s.TrackingURL, Status: string(s.Status),
		PlannedFrom: s.PlannedFrom, PlannedTo: s.PlannedTo, EstimatedFrom: s.EstimatedFrom, EstimatedTo: s.EstimatedTo,
		CreatedAt: s.CreatedAt.UnixMilli(), UpdatedAt: s.UpdatedAt.UnixMilli()}
}

func (r shipmentRow) shipment() orders.Shipment {
	return orders.Shipment{ID: r.ID, OrderID: r.OrderID, Carrier: r.Carrier, TrackingNumber: r.TrackingNumber,
		TrackingURL: r.TrackingURL, Status: orders.ShipmentStatus(r.Status),
		PlannedFrom: r.PlannedFrom, PlannedTo: r.PlannedTo, EstimatedFrom: r.EstimatedFrom, EstimatedTo: r.EstimatedTo,
		CreatedAt: millis(r.CreatedAt), UpdatedAt: millis(r.UpdatedAt)}
}

type shipmentItemRow struct {
	ShipmentID string
	Line       int
	SKU        string `gorm:"column:sku"`
	Quantity   int64
}

func (shipmentItemRow) TableName() string { return "shipment_items" }

func toShipmentItemRows(s orders.Shipment) []shipmentItemRow {
	rows := make([]shipmentItemRow, len(s.Items))
	for i, item := range s.Items {
		rows[i] = shipmentItemRow{ShipmentID: s.ID, Line: i, SKU: item.SKU, Quantity: item.Quantity}
	}
	return rows
}

type scanRow struct {
	ID            string
	ShipmentID    string
	Status        string
	OccurredAt    int64
	RecordedAt    int64
	Location      string
	Raw           string
	EstimatedFrom string
	EstimatedTo   string
}

func (scanRow) TableName() string { return "shipment_events" }

func toScanRow(shipmentID string, s orders.Scan) scanRow {
	return scanRow{ID: s.ID, ShipmentID: shipmentID, Status: string(s.Status), OccurredAt: s.OccurredAt.UnixMilli(),
		RecordedAt: s.RecordedAt.UnixMilli(), Location: s.Location, Raw: s.Raw,
		EstimatedFrom: s.EstimatedFrom, EstimatedTo: s.EstimatedTo}
}

func (r scanRow) scan() orders.Scan {
	return orders.Scan{ID: r.ID, Status: orders.ShipmentStatus(r.Status), OccurredAt: millis(r.OccurredAt),
		RecordedAt: millis(r.RecordedAt), Location: r.Location, Raw: r.Raw,
		EstimatedFrom: r.EstimatedFrom, EstimatedTo: r.EstimatedTo}
}
