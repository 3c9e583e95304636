package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	excerptLimit = 1 << 10
	bodyTimeout  = 2 * time.Second // for the answer's body, which decides nothing
)

// answer is what one request came to.
type answer struct {
	status     int // 0: none
	problem    string
	excerpt    string
	retryAfter time.Duration
	took       time.Duration
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// post sends one delivery. It returns within the time-out, whatever the other
// side does.
func (s *Service) post(ctx context.Context, r Record, d Delivery, at time.Time) (a answer) {
	began := time.Now() // a duration, so the machine's own clock
	defer func() { a.took = time.Since(began) }()
	if s.o.Sending != nil && d.Trace != "" {
		done := s.o.Sending(d, r.URL)
		defer func() { done(a.status, a.problem) }()
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	req, err := s.request(ctx, r, d, at)
	if err != nil {
		return answer{problem: "invalid_request"}
	}
	res, err := s.sender.client.Do(req)
	if err != nil {
		return answer{problem: classify(err)}
	}
	defer res.Body.Close()
	late := time.AfterFunc(bodyTimeout, cancel)
	defer late.Stop()
	a = answer{status: res.StatusCode, excerpt: excerpt(res.Body), retryAfter: retryAfter(res.Header, at)}
	switch {
	case a.ok():
	case a.status >= 300 && a.status < 400:
		a.problem = "redirect_not_followed"
	default:
		a.problem = fmt.Sprintf("status_%d", a.status)
	}
	return a
}

func (s *Service) request(ctx context.Context, r Record, d Delivery, at time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(d.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Tracker-Webhooks/1")
	req.Header.Set(HeaderPrevious, strconv.FormatInt(d.Previous, 10))
	return req, SignHeader(req.Header, r.Keys.Live(at), d.EventID, at, d.Body)
}

// excerpt reads a little of an answer, as text that is safe to show.
func excerpt(body io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(body, excerptLimit))
	text := strings.ToValidUTF8(string(b), "\uFFFD")
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) || c == '\n' || c == '\t' {
			return c
		}
		return -1
	}, text)
}

// classify names a failure by a stable word. The error's own text may hold the
// URL with its query, so it is not kept.
func classify(err error) string {
	var (
		blocked *BlockedAddressError
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		network net.Error
	)
	switch {
	case errors.As(err, &blocked):
		return "address_not_public"
	case errors.As(err, &dns):
		return "name_not_resolved"
	case errors.As(err, &cert), errors.As(err, &record):
		return "tls_failed"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	default:
		return "connection_failed"
	}
}
