// Package txoutbox makes an event and its commit one thing: the event is a row
// in the same transaction as the change, and a relay brings the row to the stream.
package txoutbox
