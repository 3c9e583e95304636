package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update-golden", false, "write testdata/cli/*.golden anew")

// tool runs a command line against an API and returns what it printed.
func tool(ctx context.Context, api *fakeAPI, args ...string) (stdout, stderr string, err error) {
	var o, e lockedBuffer
	err = toolTo(ctx, api, &o, &e, args...)
	return o.String(), e.String(), err
}

// toolTo runs a command line that prints to stdout and stderr.
func toolTo(ctx context.Context, api *fakeAPI, stdout, stderr io.Writer, args ...string) error {
	env := map[string]string{"TRACKER_URL": api.URL, "TRACKER_KEY": "sk_test_cli"}
	parser, err := kong.New(&tools{}, kong.Name("tracker"), kong.Writers(stdout, stderr), kong.Exit(func(int) {}))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(&console{getenv: func(name string) string { return env[name] }, stdout: stdout, stderr: stderr, transport: api.transport})
}

// lockedBuffer is written by a command and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// fakeAPI answers with what the test lays down for "METHOD /path".
type fakeAPI struct {
	URL       string
	t         *testing.T
	transport http.RoundTripper // nil: over the network

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []asked
}

type asked struct {
	Line, Body, Key, Cursor string
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{t: t, answers: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// newPipedAPI is a fakeAPI without a network, so that the clock of a synctest
// bubble goes on while everybody waits for everybody else.
func newPipedAPI(t *testing.T) *fakeAPI {
	t.Helper()
	wire := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
	transport := &http.Transport{DialContext: wire.dial, DisableCompression: true}
	f := &fakeAPI{URL: "http://tracker.test", t: t, answers: map[string]http.HandlerFunc{}, transport: transport}
	server := &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(wire) }() // it ends when it is closed
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return f
}

// pipes are connections within the process, to listen on and to dial.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.dialled <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.RequestURI()
	f.mu.Lock()
	f.asked = append(f.asked, asked{line, string(body), r.Header.Get("Idempotency-Key"), r.Header.Get("Last-Event-ID")})
	answer := f.answers[line]
	f.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/pay/") && r.Header.Get("Authorization") != "Bearer sk_test_cli" {
		f.problem(w, 401, "unauthorized")
		return
	}
	if answer == nil {
		f.problem(w, 404, "not_found")
		return
	}
	answer(w, r)
}

func (f *fakeAPI) problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":%q,"status":%d,"code":%q,"request_id":"req_1"}`, http.StatusText(status), status, code)
}

func (f *fakeAPI) on(line string, answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[line] = answer
}

// onFile answers with testdata/cli/<name>.json.
func (f *fakeAPI) onFile(line string, status int, name string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "cli", name+".json"))
	if err != nil {
		f.t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("{{API}}"), []byte(f.URL))
	f.on(line, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(text)
	})
}

func (f *fakeAPI) requests() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.asked...)
}

// golden compares what was printed with testdata/cli/<name>.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "cli", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

const (
	orderID   = "ord_01jdcqk3m8e5v9r2t6y0w4x7za"
	paymentID = "pay_01jdcqk9a2b3c4d5e6f7g8h9jk"
)

func TestTools_output(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line, file string
		status           int
		args             []string
	}{
		{"orders_get", "GET /v1/orders/" + orderID, "order", 200, []string{"orders", "get", orderID}},
		{"orders_list", "GET /v1/orders?limit=20&status=confirmed%2Ccompleted", "orders", 200, []string{"orders", "list", "--status", "confirmed,completed"}},
		{"orders_create", "POST /v1/orders", "order_new", 201, []string{"orders", "create", "--item", "cup,Cup,2,1999", "--reference", "R-7", "--expires-in", "90m"}},
		{"orders_cancel", "POST /v1/orders/" + orderID + "/cancel", "order_new", 200, []string{"orders", "cancel", orderID, "--reason", "changed my mind"}},
		{"orders_ship", "POST /v1/orders/" + orderID + "/shipments", "shipment", 201, []string{"orders", "ship", orderID, "--tracking-number", "T1", "--item", "cup=1"}},
		{"payments_get", "GET /v1/payments/" + paymentID, "payment", 200, []string{"payments", "get", paymentID}},
		{"payments_list", "GET /v1/payments?limit=5&order_id=" + orderID, "payments", 200, []string{"payments", "list", "--order", orderID, "--limit", "5"}},
		{"payments_capture", "POST /v1/payments/" + paymentID + "/capture", "payment", 200, []string{"payments", "capture", paymentID, "--amount", "500"}},
		{"payments_void", "POST /v1/payments/" + paymentID + "/void", "payment", 200, []string{"payments", "void", paymentID}},
		{"payments_cancel", "POST /v1/payments/" + paymentID + "/cancel", "payment", 200, []string{"payments", "cancel", paymentID}},
		{"payments_review", "POST /v1/payments/" + paymentID + "/review", "payment", 200, []string{"payments", "review", paymentID, "return"}},
		{"payments_refund", "POST /v1/refunds", "refund", 201, []string{"payments", "refund", paymentID, "--amount", "100", "--reason", "chipped"}},
		{"payments_json", "GET /v1/payments/" + paymentID, "payment", 200, []string{"payments", "get", "--json", paymentID}},
		{"keys_create", "POST /v1/keys", "key_new", 201, []string{"keys", "create", "for the shop", "--scope", "read,write"}},
		{"keys_list", "GET /v1/keys", "keys", 200, []string{"keys", "list"}},
		{"keys_revoke", "DELETE /v1/keys/key_2", "key_revoked", 200, []string{"keys", "revoke", "key_2"}},
		{"why_order", "GET /v1/orders/" + orderID, "order", 200, []string{"why", orderID}},
		{"why_payment", "GET /v1/payments/" + paymentID, "payment", 200, []string{"why", paymentID}},
		{"why_unknown", "GET /v1/payments/" + paymentID, "payment_unknown", 200, []string{"why", paymentID}},
		{"why_review", "GET /v1/payments/" + paymentID, "payment_review", 200, []string{"why", paymentID}},
		{"trigger_carrier", "POST /v1/shipments/shp_1/events", "shipment", 201, []string{"trigger", "carrier", "shp_1", "in_transit", "--location", "Leipzig", "--occurred-at", "2026-11-23T10:00:00+01:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.onFile(c.line, c.status, c.file)
			stdout, _, err := tool(t.Context(), api, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			sent := api.requests()[0]
			golden(t, c.name, fmt.Sprintf("$ tracker %s\n> %s %s\n%s", strings.Join(c.args, " "), sent.Line, sent.Body, strings.ReplaceAll(stdout, api.URL, "http://api")))
			if post := strings.HasPrefix(sent.Line, "POST "); post != (sent.Key != "") {
				t.Errorf("%s with idempotency key %q", sent.Line, sent.Key)
			}
		})
	}
}

func TestTools_failures(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.on("POST /v1/orders", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(422)
		fmt.Fprint(w, `{"title":"Invalid","detail":"The order does not fit.","status":422,"code":"invalid_request","request_id":"req_9",
			"errors":[{"pointer":"/items/0/quantity","code":"out_of_range","detail":"must be at least 1"}]}`)
	})
	api.on("GET /v1/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	api.on("GET /v1/orders/ord_proxy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusForbidden) })
	for _, c := range []struct{ args, want string }{
		{"orders create --item cup,Cup,0,1", "/items/0/quantity must be at least 1\n  request req_9"},
		{"orders create --item cup,Cup,two,1", "quantity and unit amount must be whole numbers"},
		{"orders create --item cup", "must be SKU,NAME,QUANTITY,UNIT_AMOUNT"},
		{"orders get ord_missing", "(404 not_found)"},
		{"orders get ord_proxy", "something else than a tracker"},
		{"orders ship ord_1 --item cup", "must be SKU=QUANTITY"},
		{"keys list", "not what it should be"},
		{"why mer_1", "is not the id of an order"},
		{"watch shp_1", "is not the id of an order"},
		{"watch ord_missing", "(404 not_found)"},
		{"listen --forward-to nowhere", "--forward-to must be an address"},
		{"listen --forward-to http://127.0.0.1:1/ --secret whsec_%%", "--secret"},
		{"events tail --events order.confrimed", `no event is of type "order.confrimed"; there are order.created`},
		{"listen --forward-to http://127.0.0.1:1/ --events [", "no event is of type"},
		{"orders get ord_missing", "check the id"},
		{"orders get ord_1 --key sk_wrong", "check --key or TRACKER_KEY"},
		{"payments review pay_1 perhaps", "must be one of"},
		{"orders get ord_1 --url 127.0.0.1:8080", "TRACKER_URL (or --url) must be an address"},
		{"orders get ord_1 --url http://127.0.0.1:1", "nothing answers at 127.0.0.1:1"},
		{"orders get ord_1 --key sk_wrong", "(401 unauthorized)"},
		{"trigger fault slow", "the bank's secret is needed"},
	} {
		_, _, err := tool(t.Context(), api, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "sk_") {
			t.Errorf("%s: the key is in the error: %v", c.args, err)
		}
	}
}

// What stands wrongly on the command line ends with 2 and says where to read on;
// what went wrong later ends with 1.
func TestRun_tells_misuse_from_failure(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TRACKER_URL": "http://127.0.0.1:1", "TRACKER_KEY": "sk_test_cli"}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"listen --forward-to nowhere", exitUsage, "--forward-to must be an address"},
		{"listen --forward-to http://127.0.0.1:1/ --secret whsec_%%", exitUsage, "Try: tracker listen --help"},
		{"receive --secret whsec_%%", exitUsage, "--secret must be whsec_ and base64"},
		{"events tail --events order.confrimed", exitUsage, "Try: tracker events tail --help"},
		{"watch shp_1", exitUsage, "is not the id of an order"},
		{"orders list --url nonsense", exitUsage, "TRACKER_URL (or --url) must be an address"},
		{"orders", exitUsage, "Try: tracker orders --help"},
		{"orders create", exitUsage, "Give --item, or the whole order by --file"},
		{"orders create --item cup", exitUsage, "must be SKU,NAME,QUANTITY,UNIT_AMOUNT"},
		{"orders create --item cup,Cup,two,1", exitUsage, "must be whole numbers"},
		{"orders create --item cup,Cup,1,1 --file -", exitUsage, "give one of them"},
		{"orders ship ord_1 --item cup", exitUsage, "must be SKU=QUANTITY"},
		{"trigger order --pay bogus", exitUsage, "Try: tracker trigger order --help"},
		{"trigger order --deliver", exitUsage, "--deliver needs --pay"},
		{"trigger pay ord_1 --decision bogus", exitUsage, "does not know the decision"},
		{"orders create --item cup,Cup,1,1", exitFailure, "nothing answers at 127.0.0.1:1"},
		{"orders list", exitFailure, "nothing answers at 127.0.0.1:1"},
	} {
		var stdout, stderr lockedBuffer
		code := run(t.Context(), strings.Fields(c.args), func(name string) string { return env[name] }, &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: %d, want %d\n%s", c.args, code, c.code, stderr.String())
		}
	}
}

func TestRun_tells_its_version(t *testing.T) {
	t.Parallel()
	var stdout, stderr lockedBuffer
	code := run(t.Context(), []string{"--version"}, func(string) string { return "" }, &stdout, &stderr)
	if code != exitOK || !strings.HasPrefix(stdout.String(), "tracker ") || !strings.Contains(stdout.String(), runtime.Version()) {
		t.Errorf("%d: %q %s", code, stdout.String(), stderr.String())
	}
}

func TestMerchants_create_prints_JSON(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TRACKER_DATA_DIR": t.TempDir(), "TRACKER_SANDBOX": "true"}
	var stdout, stderr lockedBuffer
	code := run(t.Context(), []string{"merchants", "create", "Kiln", "--json"}, func(name string) string { return env[name] }, &stdout, &stderr)
	var made struct{ ID, Name, Mode, Secret string }
	err := json.Unmarshal([]byte(stdout.String()), &made)
	if code != exitOK || err != nil || !strings.HasPrefix(made.ID, "mer_") || made.Name != "Kiln" || made.Mode != "test" || !strings.HasPrefix(made.Secret, "sk_test_") {
		t.Errorf("%d, %v: %s%s", code, err, stdout.String(), stderr.String())
	}
}

// What is asked for wrongly makes nothing before it is refused.
func TestTrigger_makes_nothing_of_a_wrong_wish(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"trigger order --pay bogus", "trigger order --deliver", "trigger pay " + orderID + " --decision bogus", "orders create"} {
		api := newFakeAPI(t)
		api.onFile("POST /v1/orders", 201, "order_new")
		if _, _, err := tool(t.Context(), api, strings.Fields(args)...); err == nil {
			t.Errorf("%s: no error", args)
		}
		if list := api.requests(); len(list) != 0 {
			t.Errorf("%s: asked %+v", args, list)
		}
	}
}

func TestTools_need_a_key(t *testing.T) {
	t.Parallel()
	_, err := remote{}.dial(&console{getenv: func(string) string { return "" }})
	if err == nil || !strings.Contains(err.Error(), "TRACKER_KEY") {
		t.Error(err)
	}
}

func TestClient_asks_again_with_the_same_idempotency_key(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	tries := 0
	api.on("POST /v1/orders/"+orderID+"/cancel", func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			api.problem(w, 503, "unavailable")
			return
		}
		_ = json.NewEncoder(w).Encode(orderView{ID: orderID, Currency: "EUR"})
	})
	if _, _, err := tool(t.Context(), api, "orders", "cancel", orderID); err != nil {
		t.Fatal(err)
	}
	list := api.requests()
	if len(list) != 3 || list[0].Key == "" || list[0].Key != list[2].Key {
		t.Errorf("got %+v", list)
	}
}
