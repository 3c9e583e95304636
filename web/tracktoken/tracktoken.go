package tracktoken

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tracker/notify/eventwire"
)

const (
	issuer   = "tracker"
	audience = "tracker-order"
	// Lifetime is how long a token lives unless [Options] say otherwise: longer
	// than any delivery and its return.
	Lifetime = 90 * 24 * time.Hour
	// maxLength bounds what Verify looks at; a real token has about 400 bytes.
	maxLength = 2048
)

// ErrInvalid is the answer to every token that does not verify.
var ErrInvalid = errors.New("tracktoken: invalid token")

// Claims say what a token opens.
type Claims struct {
	Merchant string
	Order    string
	Epoch    int64
	Expires  time.Time // set by Sign and Verify
}

// Options of a Signer. The zero value works.
type Options struct {
	Lifetime time.Duration    // default [Lifetime]
	Now      func() time.Time // default time.Now
}

// Signer signs with its first secret and verifies with all of them. Safe for
// concurrent use.
type Signer struct {
	keys     []signingKey
	lifetime time.Duration
	now      func() time.Time
	parser   *jwt.Parser
}

type signingKey struct {
	id  string
	key []byte
}

type wireClaims struct {
	jwt.RegisteredClaims
	Merchant string `json:"mer"`
	Epoch    int64  `json:"epo"`
}

// New returns a Signer. Without a secret there is nothing to sign with, which is
// an error; an empty one among several is an error too.
func New(secrets []string, o Options) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("tracktoken: at least one secret is needed")
	}
	s := &Signer{lifetime: o.Lifetime, now: o.Now}
	if s.lifetime <= 0 {
		s.lifetime = Lifetime
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, secret := range secrets {
		k, err := newKey(secret)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
	}
	s.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second), jwt.WithTimeFunc(s.now))
	return s, nil
}

func newKey(secret string) (signingKey, error) {
	if secret == "" {
		return signingKey{}, errors.New("tracktoken: a secret is empty")
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "tracker/tracktoken", 32)
	if err != nil {
		return signingKey{}, fmt.Errorf("tracktoken: derive key: %w", err)
	}
	sum := sha256.Sum256(key)
	return signingKey{id: hex.EncodeToString(sum[:4]), key: key}, nil
}

// Sign returns a token for c, which expires a lifetime from now.
func (s *Signer) Sign(c Claims) (string, error) {
	now := s.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: c.Order,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(s.lifetime)),
		},
		Merchant: c.Merchant, Epoch: c.Epoch,
	})
	token.Header["kid"] = s.keys[0].id
	text, err := token.SignedString(s.keys[0].key)
	if err != nil {
		return "", fmt.Errorf("tracktoken: sign for %s: %w", c.Order, err)
	}
	return text, nil
}

// Verify returns what token opens, or an error that is [ErrInvalid].
func (s *Signer) Verify(token string) (Claims, error) {
	if len(token) > maxLength {
		return Claims{}, fmt.Errorf("%w: too long", ErrInvalid)
	}
	var c wireClaims
	if _, err := s.parser.ParseWithClaims(token, &c, s.key); err != nil {
		return Claims{}, fmt.Errorf("%w: %s", ErrInvalid, reason(err))
	}
	if !eventwire.Orders.ValidID(c.Subject) || !eventwire.ValidID(eventwire.PrefixMerchant, c.Merchant) || c.Epoch < 0 {
		return Claims{}, fmt.Errorf("%w: claims name no order", ErrInvalid)
	}
	return Claims{Merchant: c.Merchant, Order: c.Subject, Epoch: c.Epoch, Expires: c.ExpiresAt.Time}, nil
}

func (s *Signer) key(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	for _, k := range s.keys {
		if k.id == kid {
			return k.key, nil
		}
	}
	return nil, errors.New("unknown kid")
}

// reason names what is wrong without quoting any part of the token.
func reason(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "expired"
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return "bad signature"
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return "unknown key"
	case errors.Is(err, jwt.ErrTokenMalformed):
		return "malformed"
	}
	return "claims do not fit"
}
