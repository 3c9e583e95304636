package apikeys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/web/apikeys"
	"tracker/web/apikeys/apikeysdb"
)

const (
	first  = "first secret of thirty-two letters"
	second = "second secret of thirty-two letter"
)

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{{Name: apikeysdb.Name, FS: apikeysdb.Migrations(dialect)}}
}

func service(t *testing.T, store apikeys.Store, o apikeys.Options) *apikeys.Service {
	t.Helper()
	if o.Secrets == nil {
		o.Secrets = []string{first}
	}
	s, err := apikeys.NewService(store, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *apikeys.Service, mode apikeys.Mode) (string, apikeys.Key) {
	t.Helper()
	m, err := s.CreateMerchant(t.Context(), "Kiln", mode)
	if err != nil {
		t.Fatal(err)
	}
	raw, k, err := s.Create(t.Context(), apikeys.NewKey{Merchant: m.ID, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return raw, k
}

func TestService_create_verify_revoke(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := service(t, apikeysdb.New(db), apikeys.Options{})
		for _, mode := range []apikeys.Mode{apikeys.Test, apikeys.Live} {
			raw, k := create(t, s, mode)
			if !strings.HasPrefix(raw, "sk_"+string(mode)+"_") || strings.Contains(k.Hint, raw[12:30]) {
				t.Errorf("key %s…, hint %s", raw[:8], k.Hint)
			}
			got, err := s.Verify(t.Context(), raw)
			if err != nil || got.ID != k.ID || got.Merchant != k.Merchant || got.Mode != mode || !got.Can(apikeys.Refunds) {
				t.Errorf("verify: %+v, %v", got, err)
			}
			if _, err := s.Find(t.Context(), k.ID); err != nil {
				t.Errorf("find: %v", err)
			}
			revoked, err := s.Revoke(t.Context(), k.Merchant, k.ID, 0)
			if err != nil || revoked.RevokedAt.IsZero() {
				t.Errorf("revoke: %+v, %v", revoked, err)
			}
			if again, err := s.Revoke(t.Context(), k.Merchant, k.ID, 0); err != nil || !again.RevokedAt.Equal(revoked.RevokedAt) {
				t.Errorf("revoking again: %+v, %v", again, err)
			}
			if _, err := s.Verify(t.Context(), raw); !errors.Is(err, apikeys.ErrUnknownKey) {
				t.Errorf("after: %v", err)
			}
			if _, err := s.Find(t.Context(), k.ID); !errors.Is(err, apikeys.ErrUnknownKey) {
				t.Errorf("session after: %v", err)
			}
		}
	})
}

func TestService_only_hashes_are_stored(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		raw, k := create(t, service(t, apikeysdb.New(db), apikeys.Options{}), apikeys.Test)
		record, err := apikeysdb.New(db).Key(t.Context(), k.ID)
		if err != nil || len(record.Hash) != 32 || strings.Contains(fmt.Sprintf("%+v%s", record, record.Hash), raw[40:]) {
			t.Errorf("record %+v, %v", record, err)
		}
		// The table alone verifies nothing: without the secret the hash is another.
		if _, err := service(t, apikeysdb.New(db), apikeys.Options{Secrets: []string{second}}).Verify(t.Context(), raw); !errors.Is(err, apikeys.ErrUnknownKey) {
			t.Errorf("with another secret: %v", err)
		}
		if _, err := service(t, apikeysdb.New(db), apikeys.Options{Secrets: []string{second, first}}).Verify(t.Context(), raw); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
	})
}

// A secret can be retired once the keys were used beside its successor.
func TestService_a_secret_is_retired(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		store := apikeysdb.New(db)
		raw, k := create(t, service(t, store, apikeys.Options{}), apikeys.Test)
		unused, _ := create(t, service(t, store, apikeys.Options{}), apikeys.Test)
		use(t, service(t, store, apikeys.Options{}), raw) // noted a moment ago
		both := service(t, store, apikeys.Options{Secrets: []string{second, first}})
		for range 2 {
			use(t, both, raw)
		}
		after := service(t, store, apikeys.Options{Secrets: []string{second}})
		if got, err := after.Verify(t.Context(), raw); err != nil || got.ID != k.ID || got.Version != 1 {
			t.Errorf("used under both: %+v, %v", got, err)
		}
		if _, err := after.Verify(t.Context(), unused); !errors.Is(err, apikeys.ErrUnknownKey) {
			t.Errorf("used under the old one alone: %v", err)
		}
	})
}

// use verifies raw and lets its use be written.
func use(t *testing.T, s *apikeys.Service, raw string) {
	t.Helper()
	if _, err := s.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // RunUse writes once more at its end
	if err := s.RunUse(ctx); err != nil {
		t.Fatal(err)
	}
}

// A key that is mistyped or made up never costs a query.
func TestService_malformed_keys_are_refused_without_asking(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	s := service(t, store, apikeys.Options{})
	raw := apikeys.Generate(time.Now())
	for _, bad := range []string{"", "sk_", "sk_test_", "sk_test_x", raw[1:], raw + "0", strings.ToUpper(raw), raw[:50] + "!" + raw[51:], raw[:30] + raw[31:] + "0",
		strings.Replace(raw, "sk_test", "sk_live", 1), strings.Repeat("s", 100_000)} {
		if _, err := s.Verify(t.Context(), bad); !errors.Is(err, apikeys.ErrUnknownKey) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	if store.asked != 0 {
		t.Errorf("the store was asked %d times", store.asked)
	}
	if _, err := s.Verify(t.Context(), raw); !errors.Is(err, apikeys.ErrUnknownKey) || store.asked != 1 {
		t.Errorf("a well-formed unknown key: %v, asked %d times", err, store.asked)
	}
}

func TestService_a_revocation_elsewhere_works_within_seconds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		now := time.Now()
		here := service(t, apikeysdb.New(db), apikeys.Options{Now: func() time.Time { return now }})
		there := service(t, apikeysdb.New(db), apikeys.Options{})
		raw, k := create(t, here, apikeys.Test)
		if _, err := here.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Revoke(t.Context(), k.Merchant, k.ID, 0); err != nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Second) // however slow the store is
		if _, err := here.Verify(t.Context(), raw); !errors.Is(err, apikeys.ErrUnknownKey) {
			t.Errorf("five seconds later: %v", err)
		}
	})
}

func TestService_RunRevocations_tells_once(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		store := &fakeStore{}
		s := service(t, store, apikeys.Options{Revoked: func(id string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, id)
		}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.RunRevocations(ctx, time.Second) }()
		store.setRevoked("key_1")
		time.Sleep(5 * time.Second) // on the bubble's clock
		synctest.Wait()
		store.setRevoked("key_1", "key_2")
		time.Sleep(2 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if fmt.Sprint(told) != "[key_1 key_2]" {
			t.Errorf("told %v", told)
		}
	})
}

// The store going away does not end what was good a moment ago, and does not
// let in what was never seen.
func TestService_the_store_is_away(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), sets(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	store := &flaky{Store: apikeysdb.New(db)}
	s := service(t, store, apikeys.Options{Now: func() time.Time { return now }})
	raw, _ := create(t, s, apikeys.Test)
	unseen, _ := create(t, s, apikeys.Test)
	if _, err := s.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	store.down = errors.New("connection refused")
	now = now.Add(5 * time.Minute)
	if _, err := s.Verify(t.Context(), raw); err != nil {
		t.Errorf("known five minutes ago: %v", err)
	}
	if _, err := s.Verify(t.Context(), unseen); err == nil || errors.Is(err, apikeys.ErrUnknownKey) {
		t.Errorf("never seen: %v", err)
	}
	now = now.Add(20 * time.Minute)
	if _, err := s.Verify(t.Context(), raw); err == nil || errors.Is(err, apikeys.ErrUnknownKey) {
		t.Errorf("known twenty-five minutes ago: %v", err)
	}
}

func TestService_last_use_is_written_behind(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := service(t, apikeysdb.New(db), apikeys.Options{})
		raw, k := create(t, s, apikeys.Test)
		if _, err := s.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop() // RunUse writes once more at its end
		if err := s.RunUse(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := s.List(t.Context(), k.Merchant)
		if err != nil || len(list) != 1 || time.Since(list[0].LastUsedAt) > time.Minute {
			t.Errorf("list %+v, %v", list, err)
		}
	})
}

func TestService_Adopt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		for _, raw := range []string{"sk_test_demo", apikeys.Generate(time.Now())} {
			here, there := service(t, apikeysdb.New(db), apikeys.Options{}), service(t, apikeysdb.New(db), apikeys.Options{})
			if _, err := here.Verify(t.Context(), raw); !errors.Is(err, apikeys.ErrUnknownKey) {
				t.Errorf("before: %v", err)
			}
			adopted, err := here.Adopt(t.Context(), raw, "Demo")
			if err != nil {
				t.Fatal(err)
			}
			if again, err := there.Adopt(t.Context(), raw, "Demo"); err != nil || again.ID != adopted.ID || again.Merchant != adopted.Merchant {
				t.Errorf("in another process: %+v, %v", again, err)
			}
			for _, s := range []*apikeys.Service{here, there} {
				if k, err := s.Verify(t.Context(), raw); err != nil || k.Merchant != adopted.Merchant || k.Mode != apikeys.Test {
					t.Errorf("verify: %+v, %v", k, err)
				}
			}
		}
		s := service(t, apikeysdb.New(db), apikeys.Options{})
		for _, raw := range []string{"", "demo", "sk_live_demo"} {
			if _, err := s.Adopt(t.Context(), raw, "Demo"); err == nil {
				t.Errorf("%q is adopted", raw)
			}
		}
	})
}

func TestService_input_is_checked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := service(t, apikeysdb.New(db), apikeys.Options{})
		_, k := create(t, s, apikeys.Test)
		var invalid *apikeys.InvalidError
		if _, _, err := s.Create(t.Context(), apikeys.NewKey{Merchant: k.Merchant, Name: strings.Repeat("x", 101), Scopes: []apikeys.Scope{"root"}}); !errors.As(err, &invalid) || len(invalid.Fields) != 2 {
			t.Errorf("key: %v", err)
		}
		if _, err := s.CreateMerchant(t.Context(), "", "play"); !errors.As(err, &invalid) || len(invalid.Fields) != 2 {
			t.Errorf("merchant: %v", err)
		}
		if _, _, err := s.Create(t.Context(), apikeys.NewKey{Merchant: "mer_none"}); !errors.Is(err, apikeys.ErrNotFound) {
			t.Errorf("no merchant: %v", err)
		}
		if _, err := s.Revoke(t.Context(), "mer_none", k.ID, 0); !errors.Is(err, apikeys.ErrNotFound) {
			t.Errorf("another's key: %v", err)
		}
		if _, err := s.ChangeSettings(t.Context(), "mer_none", apikeys.Settings{}); !errors.Is(err, apikeys.ErrNotFound) {
			t.Errorf("another's settings: %v", err)
		}
	})
}

// flaky is a store that can be away.
type flaky struct {
	apikeys.Store
	down error
}

func (f *flaky) Key(ctx context.Context, id string) (apikeys.Record, error) {
	if f.down != nil {
		return apikeys.Record{}, f.down
	}
	return f.Store.Key(ctx, id)
}

// fakeStore holds nothing and counts.
type fakeStore struct {
	apikeys.Store
	asked   int
	mu      sync.Mutex
	revoked []string
}

func (f *fakeStore) Key(context.Context, string) (apikeys.Record, error) {
	f.asked++
	return apikeys.Record{}, apikeys.ErrNotFound
}

func (f *fakeStore) setRevoked(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = ids
}

func (f *fakeStore) RevokedSince(context.Context, time.Time) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revoked, nil
}
