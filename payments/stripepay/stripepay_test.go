package stripepay_test

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
	"tracker/payments/stripepay"
)

func setup(t *testing.T) (*fakeStripe, *stripepay.Provider) {
	t.Helper()
	fake := newFake(t, fixedNow)
	p, err := stripepay.New(stripepay.Options{Key: apiKey, Secrets: []string{secretA}, BaseURL: fake.URL, Timeout: time.Minute, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	return fake, p
}

func open(t *testing.T, p *stripepay.Provider, mode payments.CaptureMode) string {
	t.Helper()
	return fixture{provider: p, now: fixedNow}.create(t, "pay_1", eur(4198), mode).Reference
}

func TestCreate_says_what_Stripe_needs_to_know(t *testing.T) {
	t.Parallel()
	fake, p := setup(t)
	open(t, p, payments.CaptureManual)
	r, form := fake.requests[0], fake.forms[0]
	if r.Header.Get("Idempotency-Key") != "create/pay_1" || r.Header.Get("X-Stripe-Client-Telemetry") != "" {
		t.Errorf("headers %v", r.Header)
	}
	for name, want := range map[string]string{
		"mode": "payment", "client_reference_id": "pay_1", "metadata[tracker_payment]": "pay_1",
		"payment_intent_data[metadata][tracker_payment]": "pay_1", "payment_intent_data[capture_method]": "manual",
		"line_items[0][price_data][currency]": "eur", "line_items[0][price_data][unit_amount]": "4198",
		"line_items[0][price_data][product_data][name]": "1042", "line_items[0][quantity]": "1",
		"success_url": "https://shop.example/checkout/ord_1?from=bank", "cancel_url": "https://shop.example/checkout/ord_1?from=bank",
		"adaptive_pricing[enabled]": "false", "expires_at": "",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestCreate_refuses_what_Stripe_cannot_take(t *testing.T) {
	t.Parallel()
	fake, p := setup(t)
	for name, in := range map[string]payments.NewSession{
		"a fils that is not ten":  {Key: "k", Amount: money.Amount{Minor: 1251, Currency: money.KWD}, ReturnURL: "https://shop.example/"},
		"half an ariary":          {Key: "k", Amount: money.Amount{Minor: 150, Currency: "MGA"}, ReturnURL: "https://shop.example/"},
		"a currency it lacks":     {Key: "k", Amount: money.Amount{Minor: 100, Currency: "LYD"}, ReturnURL: "https://shop.example/"},
		"more than fits":          {Key: "k", Amount: money.Amount{Minor: math.MaxInt64, Currency: "ISK"}, ReturnURL: "https://shop.example/"},
		"nowhere to return":       {Key: "k", Amount: eur(100)},
		"a script to return to":   {Key: "k", Amount: eur(100), ReturnURL: "javascript:alert(1)"},
		"a currency nobody knows": {Key: "k", Amount: money.Amount{Minor: 100, Currency: "ZZZ"}, ReturnURL: "https://shop.example/"},
	} {
		var refused *payments.RejectedError
		if _, err := p.Create(t.Context(), in); !errors.As(err, &refused) || refused.Code == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(fake.requests) != 0 {
		t.Errorf("%d requests for nothing", len(fake.requests))
	}
}

func TestStatus_of_what_only_Stripe_has(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(session, intent, charge object)
		want   payments.ReportState
	}{
		"disputed":            {func(_, _, charge object) { charge["disputed"] = true }, payments.ReportReversed},
		"slow method":         {func(_, intent, _ object) { intent["status"], intent["amount_received"] = "processing", 0 }, payments.ReportProcessing},
		"needs another step":  {func(_, intent, _ object) { intent["status"], intent["amount_received"] = "requires_action", 0 }, payments.ReportProcessing},
		"slow method failed":  {func(_, intent, _ object) { intent["status"], intent["amount_received"] = "requires_payment_method", 0 }, payments.ReportFailed},
		"ended by its clock":  {func(s, _, _ object) { s["status"], s["expires_at"] = "expired", fixedNow().Unix() }, payments.ReportExpired},
		"ended by our cancel": {func(s, _, _ object) { s["status"] = "expired" }, payments.ReportCancelled},
		"still on the page":   {func(s, _, _ object) { s["status"] = "open" }, payments.ReportOpen},
	} {
		fake, p := setup(t)
		id := open(t, p, payments.CaptureAutomatic)
		fake.pay(id)
		fake.change(id, tc.change)
		if r, err := p.Status(t.Context(), id); err != nil || r.State != tc.want {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestStatus_in_words_nobody_told_us_of_is_no_answer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(session, intent, charge object){
		"session status": func(s, _, _ object) { s["status"] = "splendid" },
		"intent status":  func(_, intent, _ object) { intent["status"] = "splendid" },
		"no intent":      func(s, _, _ object) { s["payment_intent"] = nil },
		"currency":       func(_, intent, _ object) { intent["currency"] = "zzz" },
		"another id":     func(s, _, _ object) { s["id"] = "cs_other" },
		"fraction":       func(_, intent, _ object) { intent["amount"] = 41.5 },
		"beyond int64":   func(_, intent, _ object) { intent["amount_received"] = 1e30 },
		"intent unread":  func(s, _, _ object) { s["payment_intent"] = "pi_unknown" },
	} {
		fake, p := setup(t)
		id := open(t, p, payments.CaptureAutomatic)
		fake.pay(id)
		fake.change(id, change)
		if r, err := p.Status(t.Context(), id); !errors.Is(err, payments.ErrTimeout) || r.State != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// Stripe keeps a key for 24 hours, and what did not answer may be asked again
// after days.
func TestRefund_that_is_repeated_after_days_is_the_same(t *testing.T) {
	t.Parallel()
	fake, p := setup(t)
	id := open(t, p, payments.CaptureAutomatic)
	fake.pay(id)
	in := payments.NewTransfer{Key: "pay_1/ref_1", Refund: "ref_1", Payment: "pay_1", Reference: id, Amount: eur(1000)}
	first, err := p.Refund(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	fake.mu.Lock()
	clear(fake.keys)
	fake.mu.Unlock()
	again, err := p.Refund(t.Context(), in)
	if err != nil || again != first || len(fake.refunds) != 1 {
		t.Errorf("%+v, %v; %d refunds at Stripe", again, err, len(fake.refunds))
	}
	in.Key, in.Refund = "pay_1/ref_2", "ref_2"
	if other, err := p.Refund(t.Context(), in); err != nil || other.Refund != "ref_2" || other.Reference == first.Reference {
		t.Errorf("another refund: %+v, %v", other, err)
	}
}

func TestErrors_of_Stripe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   error
		code   string
	}{
		"declined card":    {402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}`, payments.ErrRejected, "insufficient_funds"},
		"bad parameter":    {400, `{"error":{"type":"invalid_request_error","code":"parameter_invalid"}}`, payments.ErrRejected, "parameter_invalid"},
		"code with a trap": {400, `{"error":{"type":"invalid_request_error","code":"<b>X y</b>"}}`, payments.ErrRejected, "byb"},
		"reused key":       {400, `{"error":{"type":"idempotency_error"}}`, payments.ErrTimeout, ""},
		"key in use":       {409, `{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use"}}`, payments.ErrUnavailable, ""},
		"wrong api key":    {401, `{"error":{"type":"invalid_request_error","message":"sk_live_abc"}}`, payments.ErrUnavailable, ""},
		"not permitted":    {403, `{"error":{"type":"invalid_request_error"}}`, payments.ErrUnavailable, ""},
		"too many":         {429, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`, payments.ErrUnavailable, ""},
		"broken":           {500, `{"error":{"type":"api_error"}}`, payments.ErrTimeout, ""},
		"bad gateway":      {502, `<html>` + strings.Repeat("x", 10000), payments.ErrTimeout, ""},
		"proxy's 404":      {404, `<html>`, payments.ErrTimeout, ""},
		"redirect":         {302, ``, payments.ErrTimeout, ""},
		"null":             {200, `null`, payments.ErrTimeout, ""},
		"list":             {200, `[]`, payments.ErrTimeout, ""},
		"empty object":     {200, `{}`, payments.ErrTimeout, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		p, err := stripepay.New(stripepay.Options{Key: apiKey, Secrets: []string{secretA}, BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Create(t.Context(), payments.NewSession{Key: "k", Amount: eur(100), ReturnURL: "https://shop.example/", Title: "x"})
		var refused *payments.RejectedError
		if !errors.Is(err, tc.want) || errors.As(err, &refused) && refused.Code != tc.code {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "sk_") || len(err.Error()) > 300) {
			t.Errorf("%s: the error tells too much: %v", name, err)
		}
		server.Close()
	}
}

func TestParseCallback_types(t *testing.T) {
	t.Parallel()
	_, p := setup(t)
	meta := object{"tracker_payment": "pay_1"}
	session := func(status string, extra object) object {
		o := object{"id": "cs_1", "object": "checkout.session", "amount_total": 4198, "currency": "eur", "payment_status": status, "payment_intent": "pi_1", "metadata": meta}
		for k, v := range extra {
			o[k] = v
		}
		return o
	}
	intent := func(status string, received int64) object {
		return object{"id": "pi_1", "object": "payment_intent", "amount": 4198, "amount_received": received, "currency": "eur", "status": status, "metadata": meta, "latest_charge": "ch_1"}
	}
	for name, tc := range map[string]struct {
		kind  string
		about object
		want  payments.ReportState // "" for no report
	}{
		"paid":                 {"checkout.session.completed", session("paid", nil), payments.ReportCaptured},
		"reserved":             {"checkout.session.completed", session("unpaid", object{"metadata": object{"tracker_payment": "pay_1", "tracker_capture": "manual"}}), payments.ReportAuthorized},
		"slow":                 {"checkout.session.completed", session("unpaid", nil), payments.ReportProcessing},
		"slow, paid":           {"checkout.session.async_payment_succeeded", session("paid", nil), payments.ReportCaptured},
		"slow, failed":         {"checkout.session.async_payment_failed", session("unpaid", nil), payments.ReportFailed},
		"expired":              {"checkout.session.expired", session("unpaid", nil), payments.ReportExpired},
		"intent succeeded":     {"payment_intent.succeeded", intent("succeeded", 4198), payments.ReportCaptured},
		"intent capturable":    {"payment_intent.amount_capturable_updated", intent("requires_capture", 0), payments.ReportAuthorized},
		"intent canceled":      {"payment_intent.canceled", intent("canceled", 0), payments.ReportCancelled},
		"intent processing":    {"payment_intent.processing", intent("processing", 0), payments.ReportProcessing},
		"a card was declined":  {"payment_intent.payment_failed", intent("requires_payment_method", 0), ""},
		"refund":               {"refund.updated", object{"id": "re_1", "object": "refund"}, ""},
		"dispute":              {"charge.dispute.created", object{"id": "dp_1"}, ""},
		"unheard of":           {"moon.full", object{"id": "x"}, ""},
		"somebody else's":      {"checkout.session.completed", session("paid", object{"metadata": object{}}), ""},
		"somebody else's too":  {"payment_intent.succeeded", object{"id": "pi_9", "metadata": nil}, ""},
		"processing, declined": {"payment_intent.processing", intent("requires_payment_method", 0), ""},
	} {
		e := event("evt_1", tc.kind, fixedNow(), secretA, tc.about)
		c, err := p.ParseCallback(e.header, e.body, fixedNow())
		if err != nil || c.EventID != "evt_1" || c.Type != tc.kind || (c.Report == nil) != (tc.want == "") {
			t.Errorf("%s: %+v, %v", name, c, err)
			continue
		}
		if c.Report == nil {
			continue
		}
		if c.Payment != "pay_1" || c.Report.State != tc.want || c.Report.Amount != 4198 || c.Report.Currency != "EUR" || !c.Report.OccurredAt.Equal(fixedNow()) {
			t.Errorf("%s: %+v %+v", name, c, *c.Report)
		}
	}
}

func TestParseCallback_of_refunds_and_disputes(t *testing.T) {
	t.Parallel()
	_, p := setup(t)
	ours := object{"tracker_payment": "pay_1", "tracker_refund": "ref_1"}
	refund := func(change object) object {
		o := object{"id": "re_1", "object": "refund", "amount": 1000, "currency": "eur", "status": "failed", "failure_reason": "lost_or_stolen_card",
			"payment_intent": "pi_1", "charge": "ch_1", "created": fixedNow().Unix(), "metadata": object{}}
		for k, v := range change {
			o[k] = v
		}
		return o
	}
	for name, tc := range map[string]struct {
		kind  string
		about object
		ask   string // the intent to ask for
		told  bool   // it says all by itself
	}{
		"ours":                 {"refund.failed", refund(object{"metadata": ours}), "", true},
		"ours, by the old way": {"charge.refund.updated", refund(object{"metadata": ours}), "", true},
		"made at Stripe":       {"refund.created", refund(nil), "pi_1", false},
		"of a lone charge":     {"refund.created", refund(object{"payment_intent": nil}), "", false},
		"charge":               {"charge.refunded", object{"id": "ch_1", "payment_intent": "pi_1", "metadata": object{"tracker_payment": "pay_1"}}, "pi_1", false},
		"a stranger's charge":  {"charge.refunded", object{"id": "ch_1", "payment_intent": "pi_1", "metadata": object{}}, "", false},
		"dispute":              {"charge.dispute.created", object{"id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1"}, "pi_1", false},
		"money taken back":     {"charge.dispute.funds_withdrawn", object{"id": "dp_1", "payment_intent": object{"id": "pi_1"}}, "pi_1", false},
	} {
		e := event("evt_1", tc.kind, fixedNow(), secretA, tc.about)
		c, err := p.ParseCallback(e.header, e.body, fixedNow())
		if err != nil || c.About != tc.ask || (c.Report != nil) != tc.told {
			t.Errorf("%s: %+v, %v", name, c, err)
			continue
		}
		if !tc.told {
			continue
		}
		one := c.Report.Transfers[0]
		if c.Payment != "pay_1" || c.Report.State != payments.ReportNothing || one.Refund != "ref_1" || one.Status != payments.RefundFailed || one.Code != "lost_or_stolen_card" {
			t.Errorf("%s: %+v %+v", name, c, *c.Report)
		}
	}
	for name, change := range map[string]object{
		"status": {"status": "splendid", "metadata": ours}, "currency": {"currency": "zzz", "metadata": ours}, "no id": {"id": ""},
		"beyond int64": {"amount": 1e30}, "endless intent": {"payment_intent": strings.Repeat("x", 300)},
	} {
		e := event("evt_1", "refund.updated", fixedNow(), secretA, refund(change))
		if c, err := p.ParseCallback(e.header, e.body, fixedNow()); !errors.Is(err, payments.ErrMalformed) || c.Report != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestComplete_asks_what_the_intent_has_become(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(session, intent, charge object)
		about  string
		want   payments.ReportState
		err    error
	}{
		"disputed":        {change: func(_, _, charge object) { charge["disputed"] = true }, want: payments.ReportReversed},
		"somebody else's": {change: func(_, intent, _ object) { intent["metadata"] = object{} }},
		"not captured":    {change: func(_, intent, _ object) { intent["status"], intent["amount_received"] = "requires_capture", int64(0) }},
		"no such intent":  {about: "pi_none"},
		"another intent":  {change: func(_, intent, _ object) { intent["id"] = "pi_other" }, err: payments.ErrTimeout},
		"in other words":  {change: func(_, intent, _ object) { intent["status"] = "splendid" }, err: payments.ErrTimeout},
	} {
		fake, p := setup(t)
		id := open(t, p, payments.CaptureAutomatic)
		fake.pay(id)
		about := tc.about
		if about == "" {
			fake.change(id, func(s, _, _ object) { about = s.str("payment_intent") })
		}
		if tc.change != nil {
			fake.change(id, tc.change)
		}
		c, err := p.Complete(t.Context(), payments.Callback{EventID: "evt_1", Type: "charge.refunded", About: about})
		if !errors.Is(err, tc.err) || (c.Report != nil) != (tc.want != "") || c.Report != nil && (c.Report.State != tc.want || c.Payment != "pay_1") {
			t.Errorf("%s: %+v %+v, %v", name, c, c.Report, err)
		}
	}
	fake, p := setup(t)
	fake.spoil = spoiler(sandboxbank.FaultUnavailable)
	if _, err := p.Complete(t.Context(), payments.Callback{About: "pi_1"}); !errors.Is(err, payments.ErrUnavailable) {
		t.Errorf("while Stripe is away: %v", err)
	}
}

func TestParseCallback_malformed(t *testing.T) {
	t.Parallel()
	_, p := setup(t)
	good := object{"id": "cs_1", "amount_total": 1, "currency": "eur", "metadata": object{"tracker_payment": "pay_1"}}
	for name, change := range map[string]object{
		"no id": {"id": ""}, "fraction": {"amount_total": 1.5}, "beyond int64": {"amount_total": 1e30}, "text": {"amount_total": "1"},
		"currency": {"currency": "zzz"}, "metadata": {"metadata": []int{1}}, "endless id": {"id": strings.Repeat("x", 300)},
		"endless payment": {"metadata": object{"tracker_payment": strings.Repeat("x", 300)}},
	} {
		about := object{}
		for k, v := range good {
			about[k] = v
		}
		for k, v := range change {
			about[k] = v
		}
		e := event("evt_1", "checkout.session.completed", fixedNow(), secretA, about)
		if c, err := p.ParseCallback(e.header, e.body, fixedNow()); !errors.Is(err, payments.ErrMalformed) || c.Report != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	huge := signed([]byte(strings.Repeat(" ", 1<<20)), fixedNow(), secretA)
	if _, err := p.ParseCallback(huge.header, huge.body, fixedNow()); !errors.Is(err, payments.ErrMalformed) {
		t.Errorf("huge: %v", err)
	}
}

func TestParseCallback_headers(t *testing.T) {
	t.Parallel()
	_, p := setup(t)
	e := event("evt_1", "moon.full", fixedNow(), secretA, object{"id": "x"})
	good := e.header.Get("Stripe-Signature")
	for name, h := range map[string]map[string][]string{
		"none":              {},
		"empty":             {"Stripe-Signature": {""}},
		"twice":             {"Stripe-Signature": {good, good}},
		"twice by spelling": {"Stripe-Signature": {good}, "stripe-signature": {good}},
		"two times":         {"Stripe-Signature": {"t=1," + good}},
		"time in words":     {"Stripe-Signature": {strings.Replace(good, "t=", "t=x", 1)}},
		"no time":           {"Stripe-Signature": {good[strings.Index(good, "v1"):]}},
		"no signature":      {"Stripe-Signature": {good[:strings.Index(good, ",")]}},
		"old scheme":        {"Stripe-Signature": {strings.Replace(good, "v1=", "v0=", 1)}},
		"another time":      {"Stripe-Signature": {strings.Replace(good, "t=1", "t=2", 1)}},
	} {
		if _, err := p.ParseCallback(h, e.body, fixedNow()); !errors.Is(err, payments.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.ParseCallback(map[string][]string{"stripe-signature": {good}}, e.body, fixedNow().Add(5*time.Minute)); err != nil {
		t.Errorf("in lower case, at the edge: %v", err)
	}
}

func TestNew_checks_its_options(t *testing.T) {
	t.Parallel()
	for _, o := range []stripepay.Options{
		{}, {Key: apiKey}, {Secrets: []string{secretA}}, {Key: apiKey, Secrets: []string{"secret-secret-secret"}},
		{Key: apiKey, Secrets: []string{secretA}, Origin: "http://pay.example"}, {Key: apiKey, Secrets: []string{secretA, "whsec_"}},
	} {
		if _, err := stripepay.New(o); err == nil || strings.Contains(err.Error(), "secret-secret") {
			t.Errorf("%v", err)
		}
	}
	p, err := stripepay.New(stripepay.Options{Key: apiKey, Secrets: []string{secretA}, Origin: "https://pay.shop.example/x"})
	if err != nil || p.Name() != "stripe" || p.Origins()[0] != "https://pay.shop.example" {
		t.Errorf("%v", err)
	}
}

func TestProvider_without_Stripe_is_unavailable(t *testing.T) {
	t.Parallel()
	fake, p := setup(t)
	fake.Close()
	if _, err := p.Status(t.Context(), "cs_1"); !errors.Is(err, payments.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// FuzzParseCallback signs whatever it is given, see the one of sandboxbank.
func FuzzParseCallback(f *testing.F) {
	p, err := stripepay.New(stripepay.Options{Key: apiKey, Secrets: []string{secretA}})
	if err != nil {
		f.Fatal(err)
	}
	for _, kind := range []string{"checkout.session.completed", "payment_intent.succeeded", "moon.full"} {
		f.Add(event("evt_1", kind, fixedNow(), secretA, object{"id": "x", "amount_total": 1, "amount": 1, "currency": "eur", "status": "succeeded", "metadata": object{"tracker_payment": "pay_1"}}).body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e := signed(body, fixedNow(), secretA)
		c, err := p.ParseCallback(e.header, e.body, fixedNow())
		switch {
		case errors.Is(err, payments.ErrForged):
			t.Fatal("signed and still forged")
		case err != nil && (!errors.Is(err, payments.ErrMalformed) || c.Report != nil):
			t.Fatalf("%+v, %v", c, err)
		case err == nil && (c.EventID == "" || c.Type == ""):
			t.Fatalf("%+v", c)
		case c.Report != nil && len(c.Report.Transfers) == 0 && (c.Report.State == "" || c.Report.Currency.Exponent() < 0):
			t.Fatalf("%+v %+v", c, *c.Report)
		case c.Report != nil && c.Payment == "":
			t.Fatalf("%+v %+v", c, *c.Report)
		}
	})
}
