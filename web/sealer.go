package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

var errSealed = errors.New("web: not sealed by us")

// sealer encrypts and authenticates small values: the first secret seals, all
// open. A key is derived per purpose, so that what is sealed for one cannot be
// opened for another.
type sealer struct{ ciphers []cipher.AEAD }

// newSealer derives its keys from secrets. Without any it makes one up, which
// lasts as long as the process: for tests and for a first look.
func newSealer(secrets []string, purpose string) (*sealer, error) {
	if len(secrets) == 0 {
		secrets = []string{rand.Text() + rand.Text()}
	}
	s := &sealer{}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("web: derive key: %w", err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("web: cipher: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("web: cipher: %w", err)
		}
		s.ciphers = append(s.ciphers, aead)
	}
	return s, nil
}

func (s *sealer) seal(plain []byte, label string) []byte {
	return s.ciphers[0].Seal(nil, nil, plain, []byte(label))
}

func (s *sealer) open(sealed []byte, label string) ([]byte, error) {
	for _, c := range s.ciphers {
		if plain, err := c.Open(nil, nil, sealed, []byte(label)); err == nil {
			return plain, nil
		}
	}
	return nil, errSealed
}
