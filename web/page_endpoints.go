package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/notify/webhooks"
)

// webhooksBody is the page of webhook endpoints.
type webhooksBody struct {
	State     string
	Problem   string
	Fields    []string
	Secret    string // of the endpoint just made, or its new one; shown once
	Until     string // how long the secret before it signs too
	Key       string
	Endpoints []endpointView
}

type endpointView struct {
	webhooks.Endpoint
	Pill     statusPill
	Note     string
	Attempts []webhooks.Attempt
}

func (s *Server) consoleWebhooks(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	return s.showWebhooks(c, http.StatusOK, webhooksBody{})
}

func (s *Server) showWebhooks(c echo.Context, status int, b webhooksBody) error {
	var list listView[webhooks.Endpoint]
	if err := s.readAPI(c, "/v1/webhook_endpoints", &list); err != nil {
		return err
	}
	for _, e := range list.Data {
		v := endpointView{Endpoint: e, Pill: statusPill{"good", "working"}}
		if e.FailingSince != nil {
			v.Pill, v.Note = statusPill{"warn", "failing"}, "Failing since "+e.FailingSince.UTC().Format("2 Jan 15:04 UTC")+"."
		}
		if e.DisabledAt != nil {
			v.Pill, v.Note = statusPill{"done", "off"}, "Off since "+e.DisabledAt.UTC().Format("2 Jan 15:04 UTC")+": "+e.DisabledReason+"."
		}
		var attempts listView[webhooks.Attempt]
		if err := s.readAPI(c, "/v1/webhook_endpoints/"+e.ID+"/attempts?limit=20", &attempts); err == nil {
			v.Attempts = attempts.Data
		}
		b.Endpoints = append(b.Endpoints, v)
	}
	b.Key = newFormKey(s.now())
	if b.State == "" {
		b.State = "webhooks"
	}
	out := s.consolePage(c, s.english(), "Webhooks", b)
	return s.render(c, status, "endpoints", out, pagePolicy{})
}

// consoleWebhookAct does what a form of that page asks for.
func (s *Server) consoleWebhookAct(c echo.Context) error {
	if ok, err := s.merchantOnly(c); !ok {
		return err
	}
	call := apiCall{Method: http.MethodPost, Path: "/v1/webhook_endpoints", Key: c.FormValue("key")}
	one := "/v1/webhook_endpoints/" + url.PathEscape(c.FormValue("endpoint"))
	switch c.FormValue("do") {
	case "create":
		body := map[string]any{"url": c.FormValue("url")}
		if events := strings.Fields(strings.ReplaceAll(c.FormValue("events"), ",", " ")); len(events) > 0 {
			body["events"] = events
		}
		call.Body = body
	case "replay":
		hours, err := time.ParseDuration(c.FormValue("since") + "h")
		if err != nil || hours <= 0 {
			hours = time.Hour
		}
		call.Path, call.Body = one+"/replay", map[string]any{"since": s.now().UTC().Add(-hours).Truncate(time.Second)}
	case "on", "off":
		call.Method, call.Path, call.Body = http.MethodPatch, one, map[string]any{"enabled": c.FormValue("do") == "on"}
	case "rotate":
		call.Path = one + "/rotate_secret"
	case "delete":
		call.Method, call.Path, call.Key = http.MethodDelete, one, ""
	default:
		return newProblem("not_found", "")
	}
	a, err := s.callAPI(c, call)
	if err != nil {
		return err
	}
	if !a.ok() {
		p := a.problem()
		b := webhooksBody{State: "refused", Problem: p.Title}
		for _, f := range p.Errors {
			b.Fields = append(b.Fields, f.Pointer+" "+f.Detail)
		}
		return s.showWebhooks(c, a.status, b)
	}
	var made webhooks.Endpoint
	if json.Unmarshal(a.body, &made) == nil && made.Secret != "" {
		b := webhooksBody{State: "created", Secret: made.Secret}
		if c.FormValue("do") == "rotate" && made.PreviousUntil != nil {
			b.State, b.Until = "rotated", made.PreviousUntil.UTC().Format("2 Jan 15:04 UTC")
		}
		return s.showWebhooks(c, http.StatusOK, b)
	}
	return c.Redirect(http.StatusSeeOther, "/console/webhooks")
}
