package webhooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks specification.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
	// HeaderPrevious is our own: the sequence of the event before this one that
	// the endpoint was meant to get about the same resource, 0 for the first. With
	// it a receiver tells an event that it missed from one it did not ask for.
	HeaderPrevious = "Tracker-Previous-Seq"
)

const secretPrefix = "whsec_"

// NewSecret makes a signing secret of 256 random bits.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:])
}

// Sign returns the value of webhook-signature: one signature per secret, so that
// a receiver that knows any of them accepts the message.
func Sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		mac, err := digest(secret, id, strconv.FormatInt(at.Unix(), 10), body)
		if err != nil {
			return "", err
		}
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac)
	}
	return strings.Join(signatures, " "), nil
}

// SignHeader sets the three headers of a message.
func SignHeader(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	signature, err := Sign(secrets, id, at, body)
	if err != nil {
		return err
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(HeaderSignature, signature)
	return nil
}

func digest(secret, id, timestamp string, body []byte) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		// The secret itself must not be part of the error.
		return nil, errors.New("webhooks: a signing secret is not base64")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil), nil
}
