package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tracker/payments/money"
)

// Pages are the settings of the pages. The zero value works.
//
// How the pages are made: the server renders each of them completely from the
// newest events ([Feeds].Newest), so they work without script and while the
// database is away. What a state means in words is one pure function
// (page_headline.go and its neighbours); its twin in the browser
// (static/client/view.js) keeps an open page fresh, and a test compares the two
// over every state and language. Each page carries its CSS in one style element
// whose hash stands in the policy: the first paint needs one request and nothing
// is inline that was not meant. Whatever a page changes, it changes through the
// public API (page_api.go), as a script would. Times are written in UTC and
// rewritten to the reader's zone; money is written with its code, the same on
// both sides, since "$" is nobody's in particular.
type Pages struct {
	// FormOrigins are where a payment's form is redirected to: the origins of
	// every Provider. Without them a browser stops the payment at our own page.
	FormOrigins []string
	LateSuccess string // what happens to late payments, for the words: refund (default), hold, accept
	RefundDays  string // working days until a refund shows, for the words; default "5 to 10"
	// DemoKey is the demo merchant's key. With Deps.Sandbox it opens the demo shop
	// and stands in the examples of /docs.
	DemoKey string
	// API answers /v1 for the pages, which are plain users of it. Default: this
	// server; a process with the role web alone names another one.
	API http.Handler
	// Counters are what the console shows on top; nil leaves them out.
	Counters func(context.Context) (Counters, error)
}

// Counters are the figures that say whether anything is stuck.
type Counters struct {
	Open, Overdue, Unknown, Parked int64
	Watching                       map[string]int64 // by transport: sse, websocket, long-poll, short-poll
}

// site is what all pages are made of, read once.
type site struct {
	words     map[string]words
	templates map[string]*template.Template
	styles    map[string]style
	assets    map[string]*asset
	settings  pageSettings
}

// style is the CSS of one page, sent inside it, so that the first paint needs
// one request. Its hash stands in the policy.
type style struct {
	element template.HTML
	hash    string
}

// asset is a file for the browser, with its compressed form.
type asset struct {
	kind    string
	body    []byte
	zipped  []byte
	etag    string
	lasting bool
}

func newSite(p Pages) (*site, error) {
	all, err := loadWords(pageFiles, "static/words")
	if err != nil {
		return nil, err
	}
	st := &site{words: all, templates: map[string]*template.Template{}, styles: map[string]style{}, assets: map[string]*asset{},
		settings: pageSettings{RefundDays: p.RefundDays, LateSuccess: p.LateSuccess}}
	if st.settings.RefundDays == "" {
		st.settings.RefundDays = "5 to 10"
	}
	if st.settings.LateSuccess == "" {
		st.settings.LateSuccess = "refund"
	}
	if err := st.loadTemplates(); err != nil {
		return nil, err
	}
	return st, st.loadAssets()
}

func (st *site) loadTemplates() error {
	base, err := template.New("layout.html").Funcs(templateFuncs()).ParseFS(pageFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return fmt.Errorf("web: layout: %w", err)
	}
	names, err := fs.Glob(pageFiles, "templates/page_*.html")
	if err != nil {
		return err
	}
	tokens, err := pageFiles.ReadFile("static/css/tokens.css")
	if err != nil {
		return err
	}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "page_"), ".html")
		t, err := template.Must(base.Clone()).ParseFS(pageFiles, file)
		if err != nil {
			return fmt.Errorf("web: page %s: %w", name, err)
		}
		st.templates[name] = t
		st.styles[name] = newStyle(tokens, sheetOf(name))
	}
	return nil
}

// sheetOf names the style sheet of a page beside the tokens.
func sheetOf(page string) string {
	switch page {
	case "track", "checkout", "error":
		return "order"
	case "login", "console", "orderdesk", "confirm", "endpoints":
		return "console"
	}
	return page
}

func newStyle(tokens []byte, sheet string) style {
	css := append([]byte(nil), tokens...)
	if more, err := pageFiles.ReadFile("static/css/" + sheet + ".css"); err == nil {
		css = append(css, more...)
	}
	return style{element: template.HTML("<style>" + string(css) + "</style>"), hash: hashSource(css)} // our own file
}

// hashSource names inline content in a policy.
func hashSource(content []byte) string {
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// loadAssets maps every file below /client/ and, for the public modules, below
// /client/v1/ to its bytes.
func (st *site) loadAssets() error {
	for _, dir := range []string{"static/client", "static/words"} {
		entries, err := fs.ReadDir(pageFiles, dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			body, err := pageFiles.ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			st.assets["/client/"+e.Name()] = newAsset(e.Name(), body, false)
			st.assets["/client/v1/"+e.Name()] = newAsset(e.Name(), body, true)
		}
	}
	return nil
}

func newAsset(name string, body []byte, lasting bool) *asset {
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml"}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = z.Write(body)                                  // a Buffer takes everything
	_ = z.Close()
	sum := sha256.Sum256(body)
	return &asset{kind: kinds[path.Ext(name)], body: body, zipped: b.Bytes(), etag: `"` + hex.EncodeToString(sum[:8]) + `"`, lasting: lasting}
}

// serveAsset answers with a file. What pages load is asked for again each time
// (a 304 costs less than an old script beside a new page); the versioned copies
// are kept for a day.
func (s *Server) serveAsset(c echo.Context) error {
	a := s.site.assets[c.Request().URL.Path]
	if a == nil {
		return newProblem("not_found", "There is nothing at this address.")
	}
	h := c.Response().Header()
	h.Set("ETag", a.etag)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if a.lasting {
		h.Set("Cache-Control", "public, max-age=86400")
	}
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // any shop may embed the client
	if matches(c.Request().Header.Get("If-None-Match"), a.etag) {
		return c.NoContent(http.StatusNotModified)
	}
	body := a.body
	if strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	return c.Blob(http.StatusOK, a.kind, body)
}

// page is what the layout needs of every page.
type page struct {
	words
	Title    string
	Brand    string
	BrandURL string
	Ref      string // the order's reference, on the right of the header
	Sandbox  bool
	Preview  bool          // link preview for a page that may be shared
	Refresh  int           // seconds, for browsers without script; 0 never
	Reload   bool          // offer to stop or start the refresh
	With     string        // this address, reloading itself
	Without  string        // this address, not reloading itself
	State    template.HTML // a JSON data block for the script
	Scripts  []string
	Style    template.HTML
	Nav      []navLink
	Body     any
}

type navLink struct {
	Text, Href string
	Current    bool
}

// T is the words of key, for templates.
func (p page) T(key string) string { return p.get(key) }

// Dir is the direction of the page's language.
func (p page) Dir() string {
	if p.rightToLeft() {
		return "rtl"
	}
	return "ltr"
}

// Lang is the page's language.
func (p page) Lang() string { return p.lang }

// say is what the page's language says at this moment.
func (s *Server) phrases(c echo.Context) phrases {
	r := c.Request()
	lang := chooseLanguage(r.URL.Query().Get("lang"), r.Header.Get("Accept-Language"))
	return phrases{s.site.words[lang], s.now().UTC()}
}

// render answers with a page. It is built completely before anything is sent.
func (s *Server) render(c echo.Context, status int, name string, p page, policy pagePolicy) error {
	t, ok := s.site.templates[name]
	if !ok {
		return fmt.Errorf("web: no template %q", name)
	}
	p.Style, p.Sandbox = s.site.styles[name].element, s.deps.Sandbox
	policy.StyleHashes = append(policy.StyleHashes, s.site.styles[name].hash)
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", p); err != nil {
		return fmt.Errorf("web: page %s: %w", name, err)
	}
	s.allowPage(c, policy)
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie, Accept-Encoding")
	h.Set("Content-Language", p.lang)
	if strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip") {
		return sendZipped(c, status, b.Bytes())
	}
	return c.HTMLBlob(status, b.Bytes())
}

func sendZipped(c echo.Context, status int, body []byte) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	c.Response().Header().Set("Content-Encoding", "gzip")
	return c.HTMLBlob(status, b.Bytes())
}

// dataBlock puts v into the page as JSON that no browser runs.
func dataBlock(id string, v any) (template.HTML, error) {
	raw, err := json.Marshal(v) // escapes <, > and &
	if err != nil {
		return "", err
	}
	return template.HTML(`<script type="application/json" id="` + id + `">` + string(raw) + `</script>`), nil
}

func templateFuncs() template.FuncMap {
	return template.FuncMap{"text": textHTML, "named": namedHTML, "icon": iconHTML, "plain": func(t text) string { return t.String() },
		"prose":   proseHTML,
		"cash":    func(minor int64, c money.Currency) string { return money.Amount{Minor: minor, Currency: c}.String() },
		"codeBox": func(name, text string) map[string]string { return map[string]string{"Name": name, "Text": text} },
		"clock":   func(t time.Time) string { return t.UTC().Format("15:04 UTC") }}
}

// longName is how many characters of a name are surely no more than two lines.
const longName = 90

// namedHTML draws a line that names something: of a name that is very long two
// lines, and all of it when asked. Nothing of it is left out of the page.
func namedHTML(t text) template.HTML {
	if utf8.RuneCountInString(t.String()) <= longName {
		return textHTML(t)
	}
	return `<details class="long"><summary><span class="clamp">` + textHTML(t) + `</span></summary></details>`
}

// textHTML draws a sentence: amounts and names are isolated from the direction
// of the text around, times are elements.
func textHTML(t text) template.HTML {
	var b strings.Builder
	for _, s := range t {
		escaped := template.HTMLEscapeString(s.Text)
		switch s.Kind {
		case "money":
			b.WriteString(`<bdi class="m">` + escaped + `</bdi>`)
		case "time", "day":
			// The zone stands apart: a page whose script is about to write the reader's
			// own hours shows neither these nor a gap for it.
			if hours, zoned := strings.CutSuffix(escaped, " UTC"); zoned {
				escaped = hours + `<span class="utc"> UTC</span>`
			}
			b.WriteString(`<time datetime="` + template.HTMLEscapeString(s.At) + `">` + escaped + `</time>`)
		case "name":
			b.WriteString(`<bdi>` + escaped + `</bdi>`)
		default:
			b.WriteString(escaped)
		}
	}
	return template.HTML(b.String())
}

// proseHTML sets what stands between backticks as code.
func proseHTML(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}

func iconHTML(name string) template.HTML {
	d, ok := icons()[name]
	if !ok || d == "" {
		return ""
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="` + d + `"></path></svg>`)
}
