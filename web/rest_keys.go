package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
)

// Merchants manage keys and settings. Implemented by *apikeys.Service.
type Merchants interface {
	Create(ctx context.Context, in apikeys.NewKey) (raw string, k apikeys.Key, err error)
	List(ctx context.Context, merchant string) ([]apikeys.Key, error)
	Revoke(ctx context.Context, merchant, id string, ifVersion int64) (apikeys.Key, error)
	Merchant(ctx context.Context, id string) (apikeys.Merchant, error)
	ChangeSettings(ctx context.Context, id string, in apikeys.Settings) (apikeys.Merchant, error)
}

type keyView struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Mode       apikeys.Mode    `json:"mode"`
	Scopes     []apikeys.Scope `json:"scopes"`
	Hint       string          `json:"hint"`
	Secret     string          `json:"secret,omitempty"` // the key itself, once
	Current    bool            `json:"current"`          // the key of this request
	CreatedAt  time.Time       `json:"created_at"`
	LastUsedAt *time.Time      `json:"last_used_at"`
	RevokedAt  *time.Time      `json:"revoked_at"`
	Version    int64           `json:"version"`
}

func keyViewOf(k apikeys.Key, p principal) keyView {
	return keyView{
		ID: k.ID, Name: k.Name, Mode: k.Mode, Scopes: k.Scopes, Hint: k.Hint, Current: k.ID == p.key.ID,
		CreatedAt: k.CreatedAt, LastUsedAt: timeOrNull(k.LastUsedAt), RevokedAt: timeOrNull(k.RevokedAt), Version: k.Version,
	}
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// createKey makes a key that can do no more than the one that asks.
func (s *Server) createKey(ctx context.Context, c echo.Context, in newKeyBody) (answer, error) {
	if err := notEmpty("/scopes", in.Scopes); err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	if in.Scopes == nil {
		in.Scopes = p.key.Scopes
	}
	for i, scope := range in.Scopes {
		if slices.Contains(apikeys.AllScopes(), scope) && !p.key.Can(scope) { // an unknown one is refused as such
			return answer{}, invalidField("/scopes/"+strconv.Itoa(i), "not_yours", "must be a scope that your own key has")
		}
	}
	raw, key, err := s.deps.Merchants.Create(ctx, apikeys.NewKey{Merchant: p.key.Merchant, Name: in.Name, Scopes: in.Scopes})
	if err != nil {
		return answer{}, err
	}
	v := keyViewOf(key, p)
	v.Secret = raw
	return replyVersion(http.StatusCreated, v, v.Version)
}

func (s *Server) listKeys(ctx context.Context, c echo.Context) (answer, error) {
	p := principalOf(c)
	keys, err := s.deps.Merchants.List(ctx, p.key.Merchant)
	if err != nil {
		return answer{}, err
	}
	views := make([]keyView, len(keys))
	for i, k := range keys {
		views[i] = keyViewOf(k, p)
	}
	return reply(http.StatusOK, listView[keyView]{Data: views})
}

func (s *Server) revokeKey(ctx context.Context, c echo.Context) (answer, error) {
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	p := principalOf(c)
	key, err := s.deps.Merchants.Revoke(ctx, p.key.Merchant, c.Param("id"), version)
	if err != nil {
		return answer{}, err
	}
	return replyVersion(http.StatusOK, keyViewOf(key, p), key.Version)
}

type merchantView struct {
	ID         string       `json:"id"`
	Mode       apikeys.Mode `json:"mode"`
	Name       string       `json:"name"`
	HelpURL    string       `json:"help_url"`
	ShopURL    string       `json:"shop_url"`
	RefundDays int          `json:"refund_days"`
	CreatedAt  time.Time    `json:"created_at"`
	Version    int64        `json:"version"`
}

func merchantAnswer(m apikeys.Merchant) (answer, error) {
	return replyVersion(http.StatusOK, merchantView{
		ID: m.ID, Mode: m.Mode, Name: m.Name, HelpURL: m.HelpURL, ShopURL: m.ShopURL, RefundDays: m.RefundDays, CreatedAt: m.CreatedAt,
		Version: m.Version,
	}, m.Version)
}

func (s *Server) getMerchant(ctx context.Context, c echo.Context) (answer, error) {
	m, err := s.deps.Merchants.Merchant(ctx, principalOf(c).key.Merchant)
	if err != nil {
		return answer{}, err
	}
	return merchantAnswer(m)
}

func (s *Server) changeMerchant(ctx context.Context, c echo.Context, in settingsBody) (answer, error) {
	version, err := ifSequence(c)
	if err != nil {
		return answer{}, err
	}
	m, err := s.deps.Merchants.ChangeSettings(ctx, principalOf(c).key.Merchant, apikeys.Settings{
		IfVersion: version, Name: in.Name, HelpURL: in.HelpURL, ShopURL: in.ShopURL, RefundDays: in.RefundDays,
	})
	if err != nil {
		return answer{}, err
	}
	return merchantAnswer(m)
}
