package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// soon lets half a minute of an error page pass in 300 milliseconds.
const soon = `{ const real = setTimeout; window.setTimeout = (fn, ms, ...rest) => real(fn, document.querySelector("main[data-retry]") ? ms / 100 : ms, ...rest); }`

// TestRetry_an_error_page_heals_by_itself: what could not be shown is asked for
// again, without a reload while the service is away, and there when it is back.
func TestRetry_an_error_page_heals_by_itself(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	id, token := k.put(newState(paid))
	var asked, loaded atomic.Int64
	var loadedAway int64
	back := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch page := strings.HasPrefix(r.URL.Path, "/track/"); {
		case page && r.Method == http.MethodGet:
			loaded.Add(1)
		case page && asked.Add(1) == 3:
			loadedAway = loaded.Load()
			k.feeds.away(false)
			close(back)
		}
		k.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	if _, err := chromedp.Call(ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: soon}); err != nil {
		t.Fatal(err)
	}
	k.feeds.away(true)
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/track/"+id+"?access_token="+token)); err != nil {
		t.Fatal(err)
	}
	if state, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").dataset.state`)); err != nil || state != "away" {
		t.Fatalf("while the service is away the page shows %q, %v", state, err)
	}
	before := loaded.Load()
	select {
	case <-back:
	case <-ctx.Done():
		t.Fatalf("asked %d times", asked.Load())
	}
	if loadedAway != before {
		t.Errorf("loaded %d times while the service was away, want %d", loadedAway, before)
	}
	for state := ""; state != "packing"; { // an evaluation may meet a page that is just leaving
		state, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main")?.dataset.state || ""`))
		if ctx.Err() != nil {
			t.Fatalf("the service is back, and the page still shows %q", state)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// away lets every feed be unavailable, or be there again.
func (f *stillFeeds) away(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}
