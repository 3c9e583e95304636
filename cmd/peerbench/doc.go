// Command peerbench puts servers of others into tracker's own measurements: it is
// a lane of `tracker bench idle` and `tracker bench fanout`, which bring the
// clients, the work and the counting.
//
//	go build -C cmd/peerbench -o ../../bin/peerbench .
//	bin/tracker bench fanout --peer centrifuge="bin/peerbench centrifuge" --peer nchan="bin/peerbench nchan"
//
// It is a module of its own, so that what it needs is no dependency of tracker.
//
// # What it is
//
// A lane is a process that prints two addresses on its first line, of its streams
// and of its control, and ends with its standard input. Streams are
// GET /v1/orders/{order}/events. The control takes POST /publish
// {"from","feeds","events","rate","size"}: so many events on so many orders in turn,
// from the one of that number on; POST /collect: run the garbage collector; GET /pids: the processes that
// serve, whose memory and CPU time count.
//
// # Peers
//
//   - centrifuge: the SSE handler of the Centrifuge library on its memory broker,
//     one channel per order, subscribed on the server's side, without history.
//   - nchan: nginx with its nchan module, one channel per order, in an empty
//     directory, with a worker per processor. NCHAN_MODULE names the module's file
//     where it is not where Debian's libnginx-mod-nchan puts it.
//
// # What it does not promise
//
// Neither peer has tracker's cursor: they are measured on what they are made for,
// which is to hold connections and to fan out.
package main
