package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tracker/payments/sandboxbank"
)

// callbackSubject says whose callbacks are replayed, and how they are signed.
type callbackSubject struct {
	Secret    string `placeholder:"WHSEC" help:"With --callback-url: signs the callbacks (TRACKER_BANK_SECRET)."`
	Payment   string `placeholder:"PAY" help:"With --callback-url: the payment that they are about."`
	Reference string `placeholder:"REF" help:"With --callback-url: the bank's reference of it."`
	Amount    int64  `placeholder:"N" help:"With --callback-url: its amount in minor units."`
	Currency  string `placeholder:"CODE" help:"With --callback-url: its currency."`
}

// replayStep is one callback and what a good endpoint answers.
type replayStep struct {
	name    string
	message message
	want    wanted
}

// wanted is a class of answers.
type wanted string

const (
	wantTaken   wanted = "2xx" // so that the sender stops
	wantRefused wanted = "401" // not from the bank
	wantNot2xx  wanted = "4xx" // from the bank, and unreadable
)

func (w wanted) met(status int) bool {
	switch w {
	case wantTaken:
		return status/100 == 2
	case wantRefused:
		return status == http.StatusUnauthorized
	}
	return status/100 == 4
}

// replayResult is a line of --json.
type replayResult struct {
	Name   string `json:"name"`
	Status int    `json:"status"`
	Want   wanted `json:"want"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
}

// replay sends the callback side of the pack to an endpoint, signed at now.
func (c *scenariosCommand) replay(ctx context.Context, out *console, now time.Time) error {
	subject := c.callbackSubject
	subject.Secret = firstOf(c.Secret, out.getenv("TRACKER_BANK_SECRET"))
	if subject.Secret == "" || c.Payment == "" || c.Reference == "" || c.Amount < 1 || c.Currency == "" {
		return errors.New("--callback-url needs --secret, --payment, --reference, --amount and --currency")
	}
	steps, err := subject.steps(now)
	if err != nil {
		return err
	}
	client, failed := &http.Client{Timeout: requestTimeout}, 0
	for _, step := range steps {
		r := replayResult{Name: step.name, Want: step.want}
		status, err := step.message.post(ctx, client, c.CallbackURL)
		if r.Status = status; err != nil {
			r.Error = unreachableText(err)
		}
		r.OK = err == nil && step.want.met(status)
		word := "ok    "
		if !r.OK {
			word, failed = "FAILED", failed+1
		}
		answered := r.Error
		if err == nil {
			answered = fmt.Sprintf("%d, want %s", status, step.want)
		}
		c.print(out, r, fmt.Sprintf("%s  %-44s %s", word, step.name, answered))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d callbacks were not answered as they should be", failed, len(steps))
	}
	fmt.Fprintf(out.stderr, "Every callback was answered as it should be. Look that %s is paid once, %s %d.\n", c.Payment, c.Currency, c.Amount)
	return nil
}

// unreachableText is the reason without the address, which is on the command
// line already.
func unreachableText(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return "no answer: " + err.Error()
}

func (m message) post(ctx context.Context, client *http.Client, url string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.body))
	if err != nil {
		return 0, err
	}
	r.Header = m.header.Clone()
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.CopyN(io.Discard, res.Body, 64<<10) // an endpoint's answer matters only by its status
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return res.StatusCode, err
}

// steps are the callbacks in the order in which they are sent. What must change
// nothing comes first, then what pays, then what must not change that.
func (c callbackSubject) steps(now time.Time) ([]replayStep, error) {
	signer, err := sandboxbank.NewSigner(strings.Split(c.Secret, ",")...)
	if err != nil {
		return nil, err
	}
	stranger, err := sandboxbank.NewSigner(newBankSecret())
	if err != nil {
		return nil, err
	}
	run := now.UTC().Format("150405.000")
	sign := func(by *sandboxbank.Signer, id string, at time.Time, body []byte) message {
		m := message{http.Header{}, body}
		by.Sign(m.header, "evt_replay_"+run+"_"+id, at, body)
		return m
	}
	about := func(kind string, change func(*told)) []byte {
		t := told{kind, c.Payment, c.Reference, c.Amount, c.Currency, now.UTC().Truncate(time.Millisecond)}
		if change != nil {
			change(&t)
		}
		return t.body()
	}
	paid := about(saysSucceeded, nil)
	good := sign(signer, "paid", now, paid)
	altered := message{good.header, bytes.Replace(paid, []byte(saysSucceeded), []byte(saysReversed), 1)}
	text := func(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
	name, reference := quoted(c.Payment), quoted(c.Reference)
	early := func(t *told) { t.Payment, t.Reference = "", c.Reference+"-not-yet-known" }
	older := func(t *told) { t.OccurredAt = t.OccurredAt.Add(-time.Minute) }
	return []replayStep{
		{"forged: an unknown secret", sign(stranger, "forged", now, paid), wantRefused},
		{"stale: signed ten minutes ago", sign(signer, "stale", now.Add(-10*time.Minute), paid), wantRefused},
		{"from the future: ten minutes ahead", sign(signer, "ahead", now.Add(10*time.Minute), paid), wantRefused},
		{"altered: another body under a good signature", altered, wantRefused},
		{"unsigned", message{http.Header{}, paid}, wantRefused},
		{"not JSON", sign(signer, "text", now, []byte("paid, honestly")), wantNot2xx},
		{"duplicate keys", sign(signer, "keys", now, text(`{"type":%q,"type":%q,"data":{"payment":%s,"reference":%s,"amount":1,"amount":%d,"currency":%q}}`,
			saysFailed, saysSucceeded, name, reference, c.Amount, c.Currency)), wantNot2xx},
		{"a number beyond 64 bits", sign(signer, "huge", now, text(`{"type":%q,"data":{"payment":%s,"reference":%s,"amount":92233720368547758079,"currency":%q}}`,
			saysSucceeded, name, reference, c.Currency)), wantNot2xx},
		{"an unknown type", sign(signer, "type", now, about("payment.danced", nil)), wantTaken},
		{"too early: a reference that nobody knows yet", sign(signer, "early", now, about(saysSucceeded, early)), wantTaken},
		{"paid", good, wantTaken},
		{"the same again", good, wantTaken},
		{"the same once more", good, wantTaken},
		{"another id, the same meaning", sign(signer, "renamed", now, paid), wantTaken},
		{"out of order: an older processing", sign(signer, "older", now, about(saysProcessing, older)), wantTaken},
		{"another amount after it was paid", sign(signer, "amount", now, about(saysSucceeded, func(t *told) { t.Amount = max(1, t.Amount-1) })), wantTaken},
	}, nil
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic("a string that is no JSON: " + err.Error()) // there is none
	}
	return string(out)
}
