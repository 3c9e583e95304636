package web

import (
	"context"
	"html"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// openBrowser starts the machine's Chromium in UTC, so that what it writes can
// be compared with what the server wrote. An error of a page fails the test.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed for this test: make test installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Env("TZ=UTC"), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	err = chromedp.Listen(ctx, func(e any) {
		if thrown, ok := e.(*runtime.EventExceptionThrown); ok {
			t.Errorf("a page threw: %s", thrown.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// shown waits for the connection line, which only the script draws, and reads
// the page.
const shown = `new Promise((done) => {
  const end = Date.now() + 15000;
  const look = () => (document.querySelector("#line")?.textContent || Date.now() > end)
    ? done(document.querySelector("main").dataset.state + "\n" + document.querySelector("main").textContent) : setTimeout(look, 20);
  look();
})`

// TestBrowser_script_draws_what_the_server_sent loads every state in Chromium and
// compares the page after the script's drawing with the one that was sent.
func TestBrowser_script_draws_what_the_server_sent(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	for i, g := range goldens() {
		page := []string{"track", "checkout"}[i%2] // the words of both are compared by TestTwins; this is about drawing
		id, token := k.put(g.state)
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/"+page+"/"+id+"?access_token="+token)); err != nil {
			t.Fatalf("%s %s: %v", page, g.name, err)
		}
		drawn, err := chromedp.Run(ctx, chromedp.Evaluate[string](shown, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s %s: %v", page, g.name, err)
		}
		sent := k.get("/"+page+"/"+id, k.cookie(id, token)).Body.String()
		compareShown(t, page+" "+g.name, sent, drawn)
	}
}

// compareShown compares texts without spaces and zones: the script writes the
// reader's own.
func compareShown(t *testing.T, what, sent, drawn string) {
	t.Helper()
	state, text, _ := strings.Cut(drawn, "\n")
	if !strings.Contains(sent, `data-state="`+state+`"`) {
		t.Errorf("%s: the script says %s", what, state)
	}
	_, main, _ := strings.Cut(sent, "<main")
	main, _, _ = strings.Cut(main, "</main>")
	got, want := essence(text), essence(plainOf("<main"+main))
	got = strings.Replace(got, essence("Live. Changes appear here by themselves."), "", 1)
	got = strings.ReplaceAll(got, "Copy", "")
	if got != want {
		t.Errorf("%s:\nscript %s\nserver %s", what, got, want)
	}
}

func essence(s string) string {
	s = strings.ReplaceAll(s, " UTC", "")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\u00a0' }), "")
}

// plainOf is the text of our own markup, without what only browsers without
// script see.
func plainOf(markup string) string {
	for {
		before, rest, found := strings.Cut(markup, "<noscript>")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "</noscript>")
		markup = before + after
	}
	var b strings.Builder
	inside := false
	for _, r := range markup {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return html.UnescapeString(b.String())
}
