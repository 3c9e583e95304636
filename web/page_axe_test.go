package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page" // the package has a type page
	"github.com/chromedp/chromedp"

	"tracker/notify/webhooks"
)

// axeVersion is the version of axe-core that judges the pages; it stays, so that
// a day's new rule fails no build.
const axeVersion = "4.14.1"

// axeSource installs axe-core into the folder for such things that git ignores.
var axeSource = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join("..", ".cache", "npm-axe-"+axeVersion))
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	source, err := os.ReadFile(file)
	if err == nil {
		return string(source), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	install := exec.Command("npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install axe-core needs npm, and the registry once: %w\n%s", err, out)
	}
	source, err = os.ReadFile(file)
	return string(source), err
})

// judge runs axe with every rule that it has switched on, in both schemes. In
// the dark only colours can be wrong that were right in the light.
const judge = `(async (rules) => {
  await document.fonts.ready;
  const found = await axe.run(document, { preload: false, resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) });
  return found.violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.slice(0, 3).map((n) => "    " + n.target + " " + n.html.slice(0, 160) + " " + n.any.map((a) => a.message)).join("\n")).join("\n");
})(%s)`

// examiner is a browser with axe in every page.
type examiner struct {
	t   *testing.T
	ctx context.Context
}

func newExaminer(t *testing.T) *examiner {
	t.Helper()
	source, err := axeSource()
	if err != nil {
		t.Fatal(err)
	}
	x := &examiner{t, openBrowser(t)}
	x.size(1280)
	if _, err := chromedp.Call(x.ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: source}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *examiner) size(width int64) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, chromedp.EmulateViewport(width, 800)); err != nil {
		x.t.Fatal(err)
	}
}

// media emulates what a person has set: prefers-color-scheme and the like.
func (x *examiner) media(kind string, features ...string) {
	x.t.Helper()
	p := emulation.SetEmulatedMediaParams{Media: kind}
	for i := 0; i+1 < len(features); i += 2 {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	// Nothing fades while colours are measured.
	p.Features = append(p.Features, &emulation.MediaFeature{Name: "prefers-reduced-motion", Value: "reduce"})
	if _, err := chromedp.Call(x.ctx, emulation.SetEmulatedMedia, p); err != nil {
		x.t.Fatal(err)
	}
}

func (x *examiner) eval(script string) string {
	x.t.Helper()
	said, err := chromedp.Run(x.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		x.t.Fatal(err)
	}
	return said
}

func (x *examiner) open(address string) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, chromedp.Navigate(address)); err != nil {
		x.t.Fatalf("%s: %v", address, err)
	}
}

// examine judges the page that is open.
func (x *examiner) examine(what string) {
	x.t.Helper()
	for scheme, rules := range map[string]string{"light": "null", "dark": `["color-contrast", "link-in-text-block"]`} {
		x.media("", "prefers-color-scheme", scheme)
		if found := x.eval(fmt.Sprintf(judge, rules)); found != "" {
			x.t.Errorf("%s, %s:\n%s", what, scheme, found)
		}
	}
}

// answers is a server that gives again what a page's handler answered before,
// whatever it took to get there.
type answers struct {
	kit     http.Handler
	session string // of the console, for what a page's script asks
	made    []made
}

type made struct {
	name string
	*httptest.ResponseRecorder
}

func (a *answers) add(name string, w *httptest.ResponseRecorder) {
	a.made = append(a.made, made{name, w})
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/made/")
	if !ok {
		a.kit.ServeHTTP(w, r)
		return
	}
	i, err := strconv.Atoi(rest)
	if err != nil || i >= len(a.made) {
		http.NotFound(w, r)
		return
	}
	for name, values := range a.made[i].Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Set-Cookie", a.session)
	w.WriteHeader(http.StatusOK) // Chromium shows its own page for an empty error
	_, _ = w.Write(a.made[i].Body.Bytes())
}

// TestAxe_order_pages examines every state of the order page and the checkout,
// as the script keeps them.
func TestAxe_order_pages(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	x := newExaminer(t)
	for i, g := range goldens() {
		id, token := k.put(g.state)
		for j, page := range []string{"track", "checkout"} {
			lang := languages()[(i+j)%5]
			x.open(srv.URL + "/" + page + "/" + id + "?lang=" + lang + "&access_token=" + token)
			x.eval(shown)
			x.examine(page + " " + g.name + " " + lang)
		}
	}
}

// TestAxe_other_pages examines the other pages in every state that has markup of
// its own, wide and narrow.
func TestAxe_other_pages(t *testing.T) {
	t.Parallel()
	a := &answers{}
	shopAndErrors(t, a)
	desk(t, a)
	srv := httptest.NewServer(a)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	x := newExaminer(t)
	for i, m := range a.made {
		for _, width := range []int64{1280, 360} {
			x.size(width)
			x.open(srv.URL + "/made/" + strconv.Itoa(i))
			x.examine(fmt.Sprint(m.name, " ", width))
		}
	}
}

// shopAndErrors adds the pages that need no login.
func shopAndErrors(t *testing.T, a *answers) {
	t.Helper()
	k := newKit(t)
	a.add("shop", k.get("/"))
	a.add("shop empty", k.post("/", "qty_mug=0"))
	k.api.answers["POST /v1/orders"] = kitAnswer{422, `{"code":"invalid_request","title":"A field does not fit","status":422,"errors":[{"pointer":"/items","detail":"too many"}]}`}
	a.add("shop refused", k.post("/", "qty_mug=1"))
	k.api.answers["POST /v1/orders"] = kitAnswer{503, `{"code":"unavailable","status":503}`}
	a.add("shop down", k.post("/", "qty_mug=1"))
	a.add("docs", k.get("/docs"))
	a.add("lab", k.get("/lab"))
	a.add("no page", k.get("/nothing"))
	a.add("no order", k.get("/track/ord_nothing"))
	id, token := k.put(newState())
	a.add("no access", k.get("/track/"+id+"?access_token="+token+"x"))
	for name, answer := range map[string]kitAnswer{
		"other tab": {409, `{"code":"payment_open","status":409}`}, "bank down": {502, `{"code":"provider_unavailable","status":502}`},
		"unsure": {503, `{"code":"unavailable","status":503}`},
	} {
		k.api.answers["POST /v1/payments"] = answer
		a.add("checkout "+name, k.post("/checkout/"+id+"/pay", "key=1", k.cookie(id, token)))
	}
	off := newKit(t, func(d *Deps) { d.Sandbox = false })
	a.add("shop off", off.get("/"))
	a.add("docs without key", off.get("/docs"))
	for _, name := range []string{"500", "503"} {
		body, err := pageFiles.ReadFile("static/errors/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(body)
		a.add(name, w)
	}
}

// desk adds the merchant's pages, whose scripts are logged in.
func desk(t *testing.T, a *answers) {
	t.Helper()
	k := newKit(t, func(d *Deps) {
		d.Pages.Counters = func(context.Context) (Counters, error) {
			return Counters{Open: 4, Overdue: 2, Parked: 1, Watching: map[string]int64{"sse": 3}}, nil
		}
	})
	a.add("login", k.get("/console"))
	a.add("login failed", k.post("/console/login", "key=sk_test_wrong"))
	o, session := k.knows(), k.logIn()
	a.kit, a.session = k, session.Name+"="+session.Value+"; Path=/"
	a.add("list", k.get("/console", session))
	order := "/console/orders/" + o.ID
	a.add("signed out", k.post(order+"/hold", "key=1"))
	endpoint := webhooks.Endpoint{ID: "whe_1", URL: "https://shop.test/hooks", Events: []string{"order.*"}}
	attempt := webhooks.Attempt{EventType: "order.confirmed", Subject: o.ID, Try: 2, Status: 500, State: "waiting", At: goldenNow, Next: &goldenNow}
	k.answer("GET /v1/webhook_endpoints", listView[webhooks.Endpoint]{Data: []webhooks.Endpoint{endpoint}})
	k.answer("GET /v1/webhook_endpoints/whe_1/attempts", listView[webhooks.Attempt]{Data: []webhooks.Attempt{attempt}})
	a.add("order", k.get(order+"?done=ship", session))
	for _, action := range []string{"ship", "hold", "cancel", "event?shipment=shp_1", "refund?payment=pay_1", "capture?payment=pay_1", "accept?payment=pay_1", "return?payment=pay_1", "void?payment=pay_1"} {
		a.add(action, k.get(order+"/"+action, session))
	}
	k.api.answers["POST /v1/orders/"+o.ID+"/cancel"] = kitAnswer{409, `{"code":"sequence_mismatch","title":"It has changed meanwhile","status":409}`}
	a.add("conflict", k.post(order+"/cancel", "key=1&sequence=2", session))
	a.add("webhooks", k.get("/console/webhooks", session))
	k.api.answers["POST /v1/webhook_endpoints"] = kitAnswer{201, `{"id":"whe_1","url":"https://a.test","secret":"whsec_once"}`}
	a.add("webhook made", k.post("/console/webhooks", "do=create&key=1&url=https://a.test", session))
	k.api.answers["POST /v1/webhook_endpoints"] = kitAnswer{422, `{"code":"invalid_request","title":"A field does not fit","status":422,"errors":[{"pointer":"/url","detail":"must be https"}]}`}
	a.add("webhook refused", k.post("/console/webhooks", "do=create&key=1&url=x", session))
	k.api.answers["GET /v1/orders"] = kitAnswer{200, `{"data":[],"has_more":false}`}
	a.add("empty list", k.get("/console", session))
	a.add("no match", k.get("/console?q=x&view=ship", session))
}

// answer makes the API say v.
func (k *kit) answer(call string, v any) {
	k.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	k.api.answers[call] = kitAnswer{http.StatusOK, string(raw)}
}
