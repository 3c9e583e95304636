package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// clamped tells what is wrong with the long names of a page: two lines of each,
// all of it when opened, and open it stays when the page is drawn anew.
const clamped = `(async () => {
  const out = [], lines = (e) => Math.round(e.clientHeight / parseFloat(getComputedStyle(e).lineHeight));
  const names = [...document.querySelectorAll("details.long")];
  if (names.length < 2) return "long names: " + names.length;
  for (const name of names) {
    const text = name.querySelector(".clamp");
    if (lines(text) !== 2 || text.scrollHeight <= text.clientHeight) out.push("closed it has lines: " + lines(text));
    name.querySelector("summary").click();
    if (lines(text) < 3 || text.scrollHeight > text.clientHeight) out.push("opened it has lines: " + lines(text));
  }
  const short = [...document.querySelectorAll(".what, .parcel li")].filter((e) => e.textContent.length < 90);
  if (short.some((e) => e.querySelector("details"))) out.push("a short name is folded");
  document.querySelector("main").dataset.state = "other"; // until the next drawing
  const end = Date.now() + 60000;
  while (document.querySelector("main").dataset.state === "other" && Date.now() < end) await new Promise((done) => setTimeout(done, 50));
  if (names.some((name) => !name.isConnected || !name.open)) out.push("drawn anew it is closed");
  return out.join("\n");
})()`

func TestBrowser_long_names_show_two_lines(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	st := hardNames(newState(paid, parcel("out_for_delivery", everything(), "", "out_for_delivery 2026-11-23T08:12:00Z")))
	id, token := k.put(st)
	x := newExaminer(t)
	for _, page := range []string{"track", "checkout"} {
		sent := k.get("/"+page+"/"+id, k.cookie(id, token)).Body.String()
		if strings.Count(sent, strings.Repeat("x", 500)) < 1 || !strings.Contains(sent, `<details class="long">`) {
			t.Errorf("%s: the name is not whole in what is sent", page)
		}
		x.size(360)
		x.open(srv.URL + "/" + page + "/" + id + "?access_token=" + token)
		x.eval(shown)
		if found := x.eval(clamped); found != "" {
			t.Errorf("%s:\n%s", page, found)
		}
	}
}
