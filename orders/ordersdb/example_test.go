package ordersdb_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"tracker/config/dbconn"
	"tracker/orders"
	"tracker/orders/ordersdb"
)

func ExampleNew() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }() // only an example's files
	db, err := dbconn.Open(ctx, dbconn.Options{Path: filepath.Join(dir, "tracker.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }() // nothing is pending
	if err := db.Migrate(ctx, sets(db.Dialect())...); err != nil {
		fmt.Println(err)
		return
	}
	service := orders.NewService(ordersdb.New(db), orders.Options{})
	order, err := service.Create(ctx, "mer_0000000000000000000000000m", orders.NewOrder{
		Reference: "1042", Currency: "JPY",
		Items: []orders.Item{{SKU: "MUG", Name: "Mug", Quantity: 2, UnitAmount: 1500}},
	})
	fmt.Println(order.Amount, order.Status, err)
	// Output: 3000 pending_payment <nil>
}
