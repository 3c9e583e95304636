package apikeysdb

import (
	"strings"
	"time"

	"tracker/web/apikeys"
)

type merchantRow struct {
	ID         string `gorm:"primaryKey"`
	Mode       string
	Name       string
	HelpURL    string
	ShopURL    string
	RefundDays int
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	Version    int64
}

// TableName names the table for gorm.
func (merchantRow) TableName() string { return "merchants" }

type keyRow struct {
	ID         string `gorm:"primaryKey"`
	Merchant   string
	Mode       string
	Name       string
	Scopes     string // separated by spaces
	Hint       string
	Hash       []byte
	CreatedAt  int64  `gorm:"autoCreateTime:false"`
	LastUsedAt *int64 // NULL: never used
	RevokedAt  *int64 // NULL: not revoked
	Version    int64
}

// TableName names the table for gorm.
func (keyRow) TableName() string { return "api_keys" }

func merchantRowOf(m apikeys.Merchant) merchantRow {
	return merchantRow{
		ID: m.ID, Mode: string(m.Mode), Name: m.Name, HelpURL: m.HelpURL, ShopURL: m.ShopURL,
		RefundDays: m.RefundDays, CreatedAt: m.CreatedAt.UnixMilli(), Version: m.Version,
	}
}

func (r merchantRow) merchant() apikeys.Merchant {
	return apikeys.Merchant{
		ID: r.ID, Mode: apikeys.Mode(r.Mode), Name: r.Name, HelpURL: r.HelpURL, ShopURL: r.ShopURL,
		RefundDays: r.RefundDays, CreatedAt: time.UnixMilli(r.CreatedAt).UTC(), Version: r.Version,
	}
}

func keyRowOf(r apikeys.Record) keyRow {
	scopes := make([]string, len(r.Scopes))
	for i, s := range r.Scopes {
		scopes[i] = string(s)
	}
	return keyRow{
		ID: r.ID, Merchant: r.Merchant, Mode: string(r.Mode), Name: r.Name, Scopes: strings.Join(scopes, " "), Hint: r.Hint, Hash: r.Hash,
		CreatedAt: r.CreatedAt.UnixMilli(), LastUsedAt: millis(r.LastUsedAt), RevokedAt: millis(r.RevokedAt), Version: r.Version,
	}
}

func (r keyRow) record() apikeys.Record {
	var scopes []apikeys.Scope
	for s := range strings.FieldsSeq(r.Scopes) {
		scopes = append(scopes, apikeys.Scope(s))
	}
	return apikeys.Record{Hash: r.Hash, Key: apikeys.Key{
		ID: r.ID, Merchant: r.Merchant, Mode: apikeys.Mode(r.Mode), Name: r.Name, Scopes: scopes, Hint: r.Hint,
		CreatedAt: time.UnixMilli(r.CreatedAt).UTC(), LastUsedAt: moment(r.LastUsedAt), RevokedAt: moment(r.RevokedAt), Version: r.Version,
	}}
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func moment(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}
