package sandboxbank

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed callback (Standard Webhooks 1.0).
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a callback's timestamp may be from the clock of whoever
// verifies it, in either direction.
const Tolerance = 5 * time.Minute

const (
	secretPrefix   = "whsec_"
	minSecretBytes = 16
	maxIDBytes     = 256
	maxSignatures  = 16 // bounds the work that a header can ask for
)

// ErrSignature is the error for a callback that nobody with a live secret
// signed, now and exactly so. It wraps the reason; test with errors.Is.
var ErrSignature = errors.New("sandboxbank: signature does not verify")

// Signer signs and verifies with one or more live secrets. During a rotation
// there are two: both sign, and either verifies. It is immutable and safe for
// concurrent use.
type Signer struct{ keys [][]byte }

// NewSigner reads secrets in the form "whsec_" and base64. At least one is
// needed, and none may be shorter than 16 bytes. No error repeats a secret.
func NewSigner(secrets ...string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("sandboxbank: no secret")
	}
	s := &Signer{}
	for i, secret := range secrets {
		encoded, ok := strings.CutPrefix(secret, secretPrefix)
		if !ok {
			return nil, fmt.Errorf("sandboxbank: secret %d does not begin with %s", i+1, secretPrefix)
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("sandboxbank: secret %d is not base64", i+1)
		}
		if len(key) < minSecretBytes {
			return nil, fmt.Errorf("sandboxbank: secret %d has %d bytes, at least %d are needed", i+1, len(key), minSecretBytes)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// Sign sets the three headers for this body, sent at this time under this id.
func (s *Signer) Sign(header http.Header, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(digest(key, id, stamp, body))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, stamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
}

// Verify returns the id of a callback whose raw body a live secret signed within
// Tolerance of now, or ErrSignature. Header names may be spelled in any case.
func (s *Signer) Verify(header map[string][]string, body []byte, now time.Time) (string, error) {
	id, okID := only(header, HeaderID)
	stamp, okStamp := only(header, HeaderTimestamp)
	signature, okSignature := only(header, HeaderSignature)
	if !okID || !okStamp || !okSignature || id == "" || len(id) > maxIDBytes {
		return "", fmt.Errorf("%w: headers missing, repeated or too long", ErrSignature)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp {
		return "", fmt.Errorf("%w: the timestamp is not a number", ErrSignature)
	}
	// Compared as seconds: a time.Duration would saturate on absurd numbers.
	if limit := int64(Tolerance / time.Second); seconds < now.Unix()-limit || seconds > now.Unix()+limit {
		return "", fmt.Errorf("%w: the timestamp is more than %s away", ErrSignature, Tolerance)
	}
	if !s.signed(signature, id, stamp, body) {
		return "", fmt.Errorf("%w: no signature fits", ErrSignature)
	}
	return id, nil
}

func (s *Signer) signed(signature, id, stamp string, body []byte) bool {
	found := false
	list := strings.SplitN(signature, " ", maxSignatures+1)
	for _, one := range list[:min(len(list), maxSignatures)] {
		encoded, ok := strings.CutPrefix(one, "v1,")
		if !ok {
			continue // another scheme, such as v1a
		}
		mac, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, key := range s.keys {
			if hmac.Equal(mac, digest(key, id, stamp, body)) {
				found = true
			}
		}
	}
	return found
}

// accepts reports in constant time whether token is one of the live secrets as
// text, which is how callers of the bank's API show who they are.
func (s *Signer) accepts(token string) bool {
	encoded, ok := strings.CutPrefix(token, secretPrefix)
	if !ok {
		return false
	}
	got, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	found := false
	for _, key := range s.keys {
		if hmac.Equal(got, key) {
			found = true
		}
	}
	return found
}

func digest(key []byte, id, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// only returns the value of a header that is there exactly once. A repeated one
// is refused: two readers of one request could each believe another copy.
func only(header map[string][]string, name string) (string, bool) {
	value, seen := "", 0
	for key, values := range header {
		if strings.EqualFold(key, name) {
			seen += len(values)
			if len(values) > 0 {
				value = values[0]
			}
		}
	}
	return value, seen == 1
}
