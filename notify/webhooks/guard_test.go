package webhooks_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/webhooks"
)

// names resolves every name to one address.
type names string

func (n names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if n == "" {
		return nil, errors.New("no such name")
	}
	return []netip.Addr{netip.MustParseAddr(string(n))}, nil
}

func public(resolve string) func(*webhooks.Options) {
	return func(o *webhooks.Options) { o.AllowPrivate, o.Resolver = false, names(resolve) }
}

// nowhere is a store for inputs that never reach it.
type nowhere struct{ webhooks.Store }

func (nowhere) Add(context.Context, webhooks.Record, int) error { return nil }

func TestService_Create_input(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, resolves string
		filters       []string
		pointer, code string // "" is accepted
	}{
		{url: "https://example.com/hooks?x=1", resolves: "93.184.215.14"},
		{url: "https://93.184.215.14:8443/", filters: []string{"*"}},
		{url: "https://[2606:4700::1111]/", filters: []string{"order.*", "payment.captured"}},
		{url: "https://not-there.example/"},
		{url: "http://example.com/", resolves: "93.184.215.14", pointer: "/url", code: "https_required"},
		{url: "ftp://example.com/", pointer: "/url", code: "https_required"},
		{url: "", pointer: "/url", code: "invalid_url"},
		{url: "/hooks", pointer: "/url", code: "invalid_url"},
		{url: "https://user:pw@example.com/", pointer: "/url", code: "invalid_url"},
		{url: "https://example.com/#x", pointer: "/url", code: "invalid_url"},
		{url: "https://example.com/" + strings.Repeat("x", 2048), pointer: "/url", code: "too_long"},
		{url: "https://internal.example/", resolves: "10.1.2.3", pointer: "/url", code: "address_not_public"},
		{url: "https://2130706433/", pointer: "/url", code: "invalid_url"},
		{url: "https://0x7f000001/", pointer: "/url", code: "invalid_url"},
		{url: "https://0177.0.0.1/", pointer: "/url", code: "invalid_url"},
		{url: "https://0x7f.0.0.1/", pointer: "/url", code: "invalid_url"},
		{url: "https://127.1/", pointer: "/url", code: "invalid_url"},
		{url: "https://127.0.0.1./", pointer: "/url", code: "invalid_url"},
		{url: "https://99999999999999999999999/", pointer: "/url", code: "invalid_url"},
		{url: "https://①②⑦.0.0.1/", pointer: "/url", code: "invalid_url"},
		{url: "https://127。0。0。1/", pointer: "/url", code: "invalid_url"},
		{url: "https://example.com:0/", pointer: "/url", code: "invalid_url"},
		{url: "https://example.com:99999/", pointer: "/url", code: "invalid_url"},
		{url: "https://[::ffff:10.0.0.1]/", pointer: "/url", code: "address_not_public"},
		{url: "https://Internal.Example./", resolves: "10.1.2.3", pointer: "/url", code: "address_not_public"},
		{url: "https://hooks-7.example/", resolves: "93.184.215.14"},
		{url: "https://xn--bcher-kva.example:65535/", resolves: "93.184.215.14"},
		{url: "https://example.com/", filters: []string{"order.confrimed"}, pointer: "/events/0", code: "unknown_event_type"},
		{url: "https://example.com/", filters: []string{"*", "invoice.*"}, pointer: "/events/1", code: "unknown_event_type"},
		{url: "https://example.com/", filters: make([]string, 51), pointer: "/events", code: "out_of_range"},
	} {
		s := webhooks.NewService(nowhere{}, webhooks.Options{Resolver: names(c.resolves)})
		e, err := s.Create(t.Context(), "mer_1", webhooks.NewEndpoint{URL: c.url, Events: c.filters})
		if c.code == "" {
			if err != nil || !strings.HasPrefix(e.Secret, "whsec_") || !strings.HasPrefix(e.ID, "whe_") {
				t.Errorf("%.60s: %+v, %v", c.url, e, err)
			}
			continue
		}
		var invalid *webhooks.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Pointer != c.pointer || invalid.Fields[0].Code != c.code {
			t.Errorf("%.60s %v: %v, want %s at %s", c.url, c.filters, err, c.code, c.pointer)
		}
	}
}

func TestService_Create_refuses_every_special_address(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"64:ff9b::a00:1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1", "fec0::1", "100::1",
	} {
		s := webhooks.NewService(nowhere{}, webhooks.Options{Resolver: names(address)})
		_, err := s.Create(t.Context(), "mer_1", webhooks.NewEndpoint{URL: "https://example.com/"})
		var invalid *webhooks.InvalidError
		if !errors.As(err, &invalid) || invalid.Fields[0].Code != "address_not_public" {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// The name is public when the endpoint is created, and loopback when it is
// dialled.
func TestService_rebinding_is_refused_when_dialling(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, public("93.184.215.14"))
		r := newReceiver(t, nil)
		port := r.URL[strings.LastIndex(r.URL, ":"):]
		id := w.create(t, "https://localhost"+port).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "the attempt", func() bool { return len(w.attempts(t, id)) == 1 })
		if a := w.attempts(t, id)[0]; a.Error != "address_not_public" || len(r.all()) != 0 {
			t.Errorf("got %+v and %d requests", a, len(r.all()))
		}
	})
}

func TestService_redirects_are_not_followed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		inside := newReceiver(t, nil)
		r := newReceiver(t, func(h http.ResponseWriter, _ got) int {
			h.Header().Set("Location", inside.URL)
			return 307
		})
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "the attempt", func() bool { return len(w.attempts(t, id)) == 1 })
		if a := w.attempts(t, id)[0]; a.Error != "redirect_not_followed" || len(inside.all()) != 0 {
			t.Errorf("got %+v and %d requests inside", a, len(inside.all()))
		}
	})
}

func TestService_endpoints_belong_to_their_merchant(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) { o.MaxEndpoints = 2 })
		e := w.create(t, "http://127.0.0.1:1/")
		ctx, other := t.Context(), "mer_other"
		_, get := w.Get(ctx, other, e.ID)
		_, update := w.Update(ctx, other, e.ID, webhooks.Change{})
		_, rotate := w.RotateSecret(ctx, other, e.ID, 0)
		_, replay := w.Replay(ctx, other, e.ID, webhooks.ReplayRequest{EventIDs: []string{"evt_1"}})
		for i, err := range []error{get, update, rotate, replay, w.Delete(ctx, other, e.ID, 0)} {
			if !errors.Is(err, webhooks.ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		}
		w.create(t, "http://127.0.0.1:1/")
		_, err := w.Create(ctx, w.merchant, webhooks.NewEndpoint{URL: "http://127.0.0.1:1/"})
		if !isConflict(err, "endpoint_limit") {
			t.Errorf("the third of two: %v", err)
		}
		if err := w.Delete(ctx, w.merchant, e.ID, 0); err != nil {
			t.Fatal(err)
		}
		if list, err := w.List(ctx, w.merchant); err != nil || len(list) != 1 || list[0].Secret != "" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestKeys_never_print(t *testing.T) {
	t.Parallel()
	k := webhooks.Keys{Current: "whsec_current", Previous: "whsec_previous"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "keys", k)
	if text := b.String() + k.String(); strings.Contains(text, "whsec_") {
		t.Error(text)
	}
}
