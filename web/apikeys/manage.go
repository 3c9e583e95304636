package apikeys

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tracker/notify/eventwire"
)

// CreateMerchant makes one side of a merchant's account. A merchant with both
// modes has two, which share nothing.
func (s *Service) CreateMerchant(ctx context.Context, name string, mode Mode) (Merchant, error) {
	now := s.time()
	m := Merchant{ID: eventwire.NewID(eventwire.PrefixMerchant, now), Mode: mode, Name: name, RefundDays: defaultRefundDays, CreatedAt: now, Version: 1}
	var fields []FieldError
	if mode != Test && mode != Live {
		fields = append(fields, FieldError{"/mode", "invalid", "must be test or live"})
	}
	if fields = append(fields, checkSettings(m)...); fields != nil {
		return Merchant{}, &InvalidError{Fields: fields}
	}
	if err := s.store.AddMerchant(ctx, m); err != nil {
		return Merchant{}, fmt.Errorf("apikeys: create merchant: %w", err)
	}
	return m, nil
}

// Merchant returns a merchant by id.
func (s *Service) Merchant(ctx context.Context, id string) (Merchant, error) {
	return s.store.Merchant(ctx, id)
}

// Profile is [Service.Merchant] from memory where it was looked up within
// [Options.Fresh]: for what is copied into every order.
func (s *Service) Profile(ctx context.Context, id string) (Merchant, error) {
	at := s.now()
	if known, ok := s.profiles.GetIfPresent(id); ok && at.Sub(known.at) < s.fresh {
		return known.merchant, nil
	}
	m, err := s.store.Merchant(ctx, id)
	if err == nil {
		s.profiles.Set(id, profile{merchant: m, at: at})
	}
	return m, err
}

// ChangeSettings changes what is given and returns the merchant as it is then. Of
// changes at the same time each has its effect; one that insists on a version
// gets a *VersionError once another has come before it.
func (s *Service) ChangeSettings(ctx context.Context, id string, in Settings) (Merchant, error) {
	m, err := s.store.ChangeMerchant(ctx, id, func(m *Merchant) error {
		if err := insist(in.IfVersion, m.Version, ""); err != nil {
			return err
		}
		return in.applyTo(m)
	})
	if err != nil {
		return Merchant{}, fmt.Errorf("apikeys: change settings of %s: %w", id, err)
	}
	s.profiles.Invalidate(id)
	return m, nil
}

func (in Settings) applyTo(m *Merchant) error {
	set(&m.Name, in.Name)
	set(&m.HelpURL, in.HelpURL)
	set(&m.ShopURL, in.ShopURL)
	set(&m.RefundDays, in.RefundDays)
	if fields := checkSettings(*m); fields != nil {
		return &InvalidError{Fields: fields}
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Create makes a key and returns it once; only its hash is kept.
func (s *Service) Create(ctx context.Context, in NewKey) (raw string, k Key, err error) {
	m, err := s.store.Merchant(ctx, in.Merchant)
	if err != nil {
		return "", Key{}, err
	}
	if fields := checkNewKey(in); fields != nil {
		return "", Key{}, &InvalidError{Fields: fields}
	}
	now := s.time()
	raw, id := generate(m.Mode, now)
	k = Key{ID: id, Merchant: m.ID, Mode: m.Mode, Name: in.Name, Scopes: scopesOf(in.Scopes), Hint: hint(raw), CreatedAt: now, Version: 1}
	if err := s.store.AddKey(ctx, Record{Key: k, Hash: s.pepper.hash(raw)}); err != nil {
		return "", Key{}, fmt.Errorf("apikeys: create: %w", err)
	}
	return raw, k, nil
}

// Adopt makes a key that somebody else chose (the sandbox's) work for the demo
// merchant, whose id is the same in every process and every database. Call it
// at each start: the key is only known to processes that adopted it.
func (s *Service) Adopt(ctx context.Context, raw, merchantName string) (Key, error) {
	if !strings.HasPrefix(raw, Prefix+string(Test)+"_") || len(raw) > maxRawLength {
		return Key{}, fmt.Errorf("apikeys: adopt: the key must start with %stest_ and have at most %d characters", Prefix, maxRawLength)
	}
	now := s.time()
	demo := Merchant{ID: demoMerchant(), Mode: Test, Name: merchantName, RefundDays: defaultRefundDays, CreatedAt: now, Version: 1}
	if err := s.store.AddMerchant(ctx, demo); err != nil {
		return Key{}, fmt.Errorf("apikeys: adopt: %w", err)
	}
	hash := s.pepper.hash(raw)
	// By its hash, not by an id within it: with another secret it is another key,
	// and never one whose stored hash no longer fits.
	id := IDPrefix + alphabet.EncodeToString(hash[:16])
	k := Key{ID: id, Merchant: demo.ID, Mode: Test, Name: "Sandbox", Scopes: AllScopes(), Hint: hint(raw), CreatedAt: now, Version: 1}
	if err := s.store.AddKey(ctx, Record{Key: k, Hash: hash}); err != nil {
		return Key{}, fmt.Errorf("apikeys: adopt: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopted[string(hash)] = id
	return k, nil
}

func demoMerchant() string {
	return eventwire.PrefixMerchant + strings.TrimPrefix(eventwire.EventID("the demo merchant", 1), eventwire.PrefixEvent)
}

// List returns the merchant's keys, newest first, revoked ones included.
func (s *Service) List(ctx context.Context, merchant string) ([]Key, error) {
	return s.store.Keys(ctx, merchant)
}

// Revoke ends a key. Revoking again is a successful no-op. With a version other
// than 0 it insists on that one, and is a *VersionError on another.
func (s *Service) Revoke(ctx context.Context, merchant, id string, ifVersion int64) (Key, error) {
	k, err := s.store.ChangeKey(ctx, merchant, id, func(k *Key) error {
		if err := insist(ifVersion, k.Version, k.status()); err != nil {
			return err
		}
		if k.RevokedAt.IsZero() {
			k.RevokedAt = s.time()
		}
		return nil
	})
	if err != nil {
		return Key{}, err
	}
	s.forget(id)
	return k, nil
}

func scopesOf(in []Scope) []Scope {
	if len(in) == 0 {
		return AllScopes()
	}
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func checkNewKey(in NewKey) []FieldError {
	var fields []FieldError
	if !plain(in.Name, maxName) {
		fields = append(fields, FieldError{"/name", "invalid", "must have at most 100 characters and no control characters"})
	}
	for i, scope := range in.Scopes {
		if !slices.Contains(AllScopes(), scope) {
			fields = append(fields, FieldError{"/scopes/" + strconv.Itoa(i), "unknown_scope", "must be read, write, refunds or webhooks"})
		}
	}
	return fields
}
