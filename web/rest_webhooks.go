package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"tracker/notify/webhooks"
)

// Webhooks manage where a merchant wants its events sent. Implemented by
// *webhooks.Service.
type Webhooks interface {
	Prepare(ctx context.Context, merchant string, in webhooks.NewEndpoint) (webhooks.Record, error)
	Add(ctx context.Context, r webhooks.Record) (webhooks.Endpoint, error)
	Get(ctx context.Context, merchant, id string) (webhooks.Endpoint, error)
	List(ctx context.Context, merchant string) ([]webhooks.Endpoint, error)
	Update(ctx context.Context, merchant, id string, change webhooks.Change) (webhooks.Endpoint, error)
	Delete(ctx context.Context, merchant, id string, ifVersion int64) error
	RotateSecret(ctx context.Context, merchant, id string, ifVersion int64) (webhooks.Endpoint, error)
	Attempts(ctx context.Context, merchant string, f webhooks.AttemptFilter) (webhooks.AttemptPage, error)
	Replay(ctx context.Context, merchant, id string, r webhooks.ReplayRequest) (int, error)
}

const preparedKey = "tracker.prepared"

// prepareEndpoint resolves the endpoint's address, for which the database must
// not wait.
func (s *Server) prepareEndpoint(ctx context.Context, c echo.Context) error {
	var in newWebhookEndpointBody
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := notEmpty("/events", in.Events); err != nil {
		return err
	}
	r, err := s.deps.Webhooks.Prepare(ctx, principalOf(c).key.Merchant, webhooks.NewEndpoint{URL: in.URL, Events: in.Events})
	c.Set(preparedKey, r)
	return err
}

func (s *Server) createWebhookEndpoint(ctx context.Context, c echo.Context, _ newWebhookEndpointBody) (answer, error) {
	prepared, _ := c.Get(preparedKey).(webhooks.Record)
	e, err := s.deps.Webhooks.Add(ctx, prepared)
	if err != nil {
		return answer{}, err
	}
	a, err := replyVersion(http.StatusCreated, e, e.Version)
	if err != nil {
		return answer{}, err
	}
	return a.at("/v1/webhook_endpoints/" + e.ID), nil
}

func (s *Server) listWebhookEndpoints(ctx context.Context, c echo.Context) (answer, error) {
	list, err := s.deps.Webhooks.List(ctx, principalOf(c).key.Merchant)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, listView[webhooks.Endpoint]{Data: append([]webhooks.Endpoint{}, list...)})
}

func (s *Server) getWebhookEndpoint(ctx context.Context, c echo.Context) (answer, error) {
	e, err := s.deps.Webhooks.Get(ctx, principalOf(c).key.Merchant, c.Param("id"))
	if err != nil {
		return answer{}, err
	}
	return replyVersion(http.StatusOK, e, e.Version)
}

func (s *Server) changeWebhookEndpoint(ctx context.Context, c echo.Context, in webhookEndpointChangeBody) (answer, error) {
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	change := webhooks.Change{IfVersion: version, URL: in.URL, Events: in.Events, Enabled: in.Enabled}
	e, err := s.deps.Webhooks.Update(ctx, principalOf(c).key.Merchant, c.Param("id"), change)
	if err != nil {
		return answer{}, err
	}
	return replyVersion(http.StatusOK, e, e.Version)
}

func (s *Server) deleteWebhookEndpoint(ctx context.Context, c echo.Context) (answer, error) {
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	if err := s.deps.Webhooks.Delete(ctx, principalOf(c).key.Merchant, c.Param("id"), version); err != nil {
		return answer{}, err
	}
	return answer{Status: http.StatusNoContent, Header: map[string]string{}}, nil
}

func (s *Server) rotateWebhookSecret(ctx context.Context, c echo.Context, _ nothingBody) (answer, error) {
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	e, err := s.deps.Webhooks.RotateSecret(ctx, principalOf(c).key.Merchant, c.Param("id"), version)
	if err != nil {
		return answer{}, err
	}
	return replyVersion(http.StatusOK, e, e.Version)
}

func (s *Server) listWebhookAttempts(ctx context.Context, c echo.Context) (answer, error) {
	q := c.QueryParams()
	f := webhooks.AttemptFilter{Endpoint: c.Param("id"), Subject: q.Get("subject"), EventID: q.Get("event_id"), StartingAfter: q.Get("starting_after")}
	var err error
	if f.Limit, err = limitOf(q); err != nil {
		return answer{}, err
	}
	page, err := s.deps.Webhooks.Attempts(ctx, principalOf(c).key.Merchant, f)
	if err != nil {
		return answer{}, queryProblem(err)
	}
	return reply(http.StatusOK, listView[webhooks.Attempt]{Data: append([]webhooks.Attempt{}, page.Data...), HasMore: page.HasMore})
}

func (s *Server) replayWebhooks(ctx context.Context, c echo.Context, in replayBody) (answer, error) {
	if err := notEmpty("/event_ids", in.EventIDs); err != nil {
		return answer{}, err
	}
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	r := webhooks.ReplayRequest{IfVersion: version, EventIDs: in.EventIDs, FailedOnly: in.FailedOnly, Since: in.Since.UTC()}
	n, err := s.deps.Webhooks.Replay(ctx, principalOf(c).key.Merchant, c.Param("id"), r)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusAccepted, map[string]int{"queued": n})
}
