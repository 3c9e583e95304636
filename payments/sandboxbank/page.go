package sandboxbank

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed templates/*.html static/*
var files embed.FS

const (
	stylePath = "/bank.css"
	iconPath  = "/bank.svg"
)

// payView is what the template shows. State is also data-state, for tests.
type payView struct {
	State      string // open, decided, expired, cancelled or unknown
	Shop       string
	Amount     string
	Order      string
	Chose      string
	At         moment
	Pending    bool
	OutOfOrder bool
	Invalid    bool
	Back       string
	Path       string
	Groups     []group
	Style      string
}

type moment struct{ Machine, Words string }

func (b *Bank) pages() (http.Handler, error) {
	page, err := template.ParseFS(files, "templates/pay.html")
	if err != nil {
		return nil, err
	}
	style, err := files.ReadFile("static/bank.css")
	if err != nil {
		return nil, err
	}
	icon, err := files.ReadFile("static/bank.svg")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	styleURL := stylePath + "?v=" + hex.EncodeToString(sum[:6])
	mux := http.NewServeMux()
	mux.Handle("GET "+stylePath, asset("text/css; charset=utf-8", style))
	mux.Handle("GET "+iconPath, asset("image/svg+xml", icon))
	show := func(w http.ResponseWriter, status int, v payView, form string) {
		v.Style = styleURL
		b.render(w, page, status, v, form)
	}
	mux.HandleFunc("GET /pay/{session}", func(w http.ResponseWriter, r *http.Request) {
		s, err := b.find(r.PathValue("session"))
		if err != nil {
			b.noSession(w, err, show)
			return
		}
		show(w, http.StatusOK, b.payView(s), originOf(s.ReturnURL))
	})
	mux.HandleFunc("POST /pay/{session}", func(w http.ResponseWriter, r *http.Request) { b.press(w, r, show) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { b.noSession(w, errNotFound(), show) })
	return mux, nil
}

type showFunc func(w http.ResponseWriter, status int, v payView, form string)

// press is a button of the page. Whatever it finds, the answer is a redirect
// that can be reloaded, so that a second press decides nothing.
func (b *Bank) press(w http.ResponseWriter, r *http.Request, show showFunc) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	id := r.PathValue("session")
	if _, err := b.find(id); err != nil {
		b.noSession(w, err, show)
		return
	}
	s, err := b.decide(id, DecideRequest{Decision: Decision(r.PostFormValue("decision"))})
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity:
		before, _ := b.find(id)
		v := b.payView(before)
		v.Invalid = true
		show(w, http.StatusUnprocessableEntity, v, originOf(before.ReturnURL))
		return
	case errors.As(err, &refused) && refused.status == http.StatusConflict:
		// Decided, expired or cancelled before: the page says which.
		http.Redirect(w, r, "/pay/"+id, http.StatusSeeOther)
		return
	case err != nil:
		b.noSession(w, err, show)
		return
	}
	target := "/pay/" + id
	if s.ReturnURL != "" {
		target = backURL(s.ReturnURL)
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

func (b *Bank) payView(s *session) payView {
	now := b.clock()
	v := payView{
		State: "open", Shop: s.Shop, Order: s.OrderReference, Path: "/pay/" + s.ID,
		Amount: askedAmount(s), Pending: s.Status == StatusPending, Groups: groups(),
	}
	if v.Shop == "" {
		v.Shop = "The shop"
	}
	if s.ReturnURL != "" {
		v.Back = backURL(s.ReturnURL)
	}
	if !s.DecidedAt.IsZero() {
		v.At = momentOf(s.DecidedAt, now)
	}
	for _, f := range b.faults.all(now) {
		v.OutOfOrder = v.OutOfOrder || f.Kind == FaultUnavailable
	}
	switch {
	case s.undecided(now):
	case s.Decision != "" && s.Decision != string(Pend):
		v.State = "decided"
		for _, c := range choices() {
			if string(c.Decision) == s.Decision {
				v.Chose = c.Button
			}
		}
	case s.statusAt(now) == StatusExpired:
		v.State, v.At = "expired", momentOf(s.ExpiresAt, now)
	default:
		v.State, v.At = "cancelled", momentOf(s.ChangedAt, now)
	}
	return v
}

// render writes the page. form is the origin that the form may lead to besides
// this one: Chromium applies form-action to the redirect after a form.
func (b *Bank) render(w http.ResponseWriter, page *template.Template, status int, v payView, form string) {
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		b.log.Error("page", "error", err)
		http.Error(w, "The bank made a mistake.", http.StatusInternalServerError)
		return
	}
	policy := "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	if form != "" {
		policy += " " + form
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // the address is all it takes to decide
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

func (b *Bank) noSession(w http.ResponseWriter, err error, show showFunc) {
	var known *apiError
	if errors.As(err, &known) && known.status == http.StatusNotFound {
		show(w, http.StatusNotFound, payView{State: "unknown"}, "")
		return
	}
	b.log.Error("page", "error", err)
	http.Error(w, "The bank made a mistake.", http.StatusInternalServerError)
}

func asset(kind string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
}

// askedAmount is the sum on the page: what the shop asked for, not what the bank
// may have made of it.
func askedAmount(s *session) string {
	return newSession("", s.SessionRequest, s.CreatedAt).Reported.String()
}

// backURL is the shop's return address with from=bank, which chooses words there
// and proves nothing.
func backURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Query().Get("from") == "bank" {
		return s
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&from=bank", "&")
	return u.String()
}

// originOf returns scheme and host of a URL that webURL accepted, in the form
// that a Content-Security-Policy takes; nothing for anything else.
func originOf(s string) string {
	u, err := url.Parse(s)
	if s == "" || err != nil || strings.ContainsAny(u.Host, " ;,'\"") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func momentOf(t, now time.Time) moment {
	t = t.UTC()
	words := t.Format("15:04") + " UTC"
	if y, m, d := now.Date(); !t.Truncate(24 * time.Hour).Equal(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) {
		words = t.Format("Mon 2 Jan, 15:04") + " UTC"
	}
	return moment{Machine: t.Format(time.RFC3339), Words: words}
}
