package apikeys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"tracker/notify/eventwire"
)

// Prefix is how every key starts; the mode follows.
const Prefix = "sk_"

// IDPrefix is how the public id of a key starts.
const IDPrefix = "key_"

const (
	idLength     = 26 // of the public id behind its prefix
	secretLength = 52 // 256 bits in base32
	checkLength  = 7  // 32 bits in base32
	maxRawLength = 200
)

var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// generate makes a key: prefix, public id, secret, checksum, without separators
// so that a double click selects all of it.
func generate(mode Mode, now time.Time) (raw, id string) {
	id = eventwire.NewID(IDPrefix, now)
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: it ends the program instead
	body := Prefix + string(mode) + "_" + strings.TrimPrefix(id, IDPrefix) + alphabet.EncodeToString(secret[:])
	return body + checksum(body), id
}

// Generate makes a test key for [Service.Adopt], which nobody knows yet.
func Generate(now time.Time) string {
	raw, _ := generate(Test, now)
	return raw
}

func checksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return alphabet.EncodeToString(sum[:])
}

// publicID returns the id within a key that we made. It reports false for a key
// of another form, and for one with a typing error.
func publicID(raw string) (string, bool) {
	rest, ok := strings.CutPrefix(raw, Prefix+string(Test)+"_")
	if !ok {
		rest, ok = strings.CutPrefix(raw, Prefix+string(Live)+"_")
	}
	if !ok || len(rest) != idLength+secretLength+checkLength {
		return "", false
	}
	body := raw[:len(raw)-checkLength]
	if checksum(body) != raw[len(body):] {
		return "", false
	}
	return IDPrefix + rest[:idLength], true
}

// hint is what lists show of a key: enough to recognise it, nothing to use.
func hint(raw string) string {
	if len(raw) < 24 {
		return Prefix + "…"
	}
	return raw[:len("sk_test_")] + "…" + raw[len(raw)-4:]
}

// pepper hashes keys with a secret that is not in the database, so that a
// stolen table verifies nothing.
type pepper struct{ keys []secret }

// secret makes keyed hashes. Its states are kept, since every request needs one.
type secret struct{ states *sync.Pool }

func newSecret(key []byte) secret {
	return secret{&sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func newPepper(secrets []string) (pepper, error) {
	var p pepper
	for _, s := range secrets {
		if s == "" {
			return pepper{}, fmt.Errorf("apikeys: a secret is empty")
		}
		key, err := hkdf.Key(sha256.New, []byte(s), nil, "tracker/apikeys", 32)
		if err != nil {
			return pepper{}, fmt.Errorf("apikeys: derive key: %w", err)
		}
		p.keys = append(p.keys, newSecret(key))
	}
	if len(p.keys) == 0 {
		return pepper{}, fmt.Errorf("apikeys: at least one secret is needed")
	}
	return p, nil
}

func (p pepper) hash(raw string) []byte { return p.keys[0].hash(raw) }

// secretOf says which secret made hash of raw, -1 for none. It compares in constant
// time, with every secret.
func (p pepper) secretOf(raw string, hash []byte) int {
	found := -1
	for i, key := range p.keys {
		if hmac.Equal(key.hash(raw), hash) {
			found = i
		}
	}
	return found
}

func (s secret) hash(raw string) []byte {
	m := s.states.Get().(hash.Hash)
	defer s.states.Put(m)
	m.Reset()
	m.Write([]byte(raw))
	return m.Sum(nil)
}
