package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// listView is the form of every list.
type listView[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
}

const maxQueryValue = 500

// checkQuery refuses parameters that the operation does not have: a filter that
// is misspelt must not mean "everything". A provider's callback may have its own.
func checkQuery(c echo.Context, r route) error {
	raw := c.Request().URL.RawQuery
	if raw == "" || r.access == anyone {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return invalidParameter("query", "cannot be parsed")
	}
	for name, values := range q {
		if name == "access_token" {
			continue // a credential, and seen as one
		}
		if !slices.Contains(r.query, name) {
			return unknownParameter(name)
		}
		if err := checkValues(r, name, values); err != nil {
			return err
		}
	}
	return nil
}

// checkValues refuses what would count for nothing without a word: a second value
// where one is looked at, and an empty one, which would filter nothing out.
func checkValues(r route, name string, values []string) error {
	if len(values) > 1 && !takesSeveral(r.op, name) {
		return invalidParameter(name, "is given twice")
	}
	for _, v := range values {
		switch {
		case len(v) > maxQueryValue:
			return invalidParameter(name, "is too long")
		case strings.Trim(v, ", ") == "" && name != "limit": // which says what it must be
			return invalidParameter(name, "must not be empty; leave it out instead")
		}
	}
	return nil
}

// takesSeveral reports whether the parameter is a list, see [listOf].
func takesSeveral(op, name string) bool {
	switch name {
	case "status", "payment_status", "fulfillment_status", "waits_for", "task":
		return op == "listOrders"
	}
	return false
}

func unknownParameter(name string) *problem {
	if !plainID(name) {
		name = "query" // never echo what could be anything
	}
	p := invalidParameter(name, "is not a parameter of this operation")
	p.Errors[0].Code = "unknown_parameter"
	return p
}

// listOf reads a parameter that may be given several times or with commas.
func listOf[T ~string](q url.Values, name string) []T {
	var list []T
	for _, v := range q[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, T(part))
			}
		}
	}
	return list
}

func limitOf(q url.Values) (int, error) {
	if !q.Has("limit") {
		return 0, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > 100 {
		return 0, invalidParameter("limit", "must be a whole number from 1 to 100")
	}
	return n, nil
}

func timeOf(q url.Values, name string) (time.Time, error) {
	if !q.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, q.Get(name))
	if err != nil {
		return time.Time{}, invalidParameter(name, "must be a time such as 2026-11-23T09:00:00Z")
	}
	return t.UTC(), nil
}

// queryProblem says of a filter that does not fit which parameter it is, where
// a service names members of a body.
func queryProblem(err error) error {
	var p *problem
	for _, rule := range []func(error) *problem{problemOfOrders, problemOfPayments, problemOfWebhooks} {
		if p = rule(err); p != nil {
			break
		}
	}
	if p == nil || p.Code != "invalid_request" {
		return err
	}
	out := newProblem("invalid_parameter", p.Detail)
	out.cause = err
	for _, f := range p.Errors {
		out.Errors = append(out.Errors, fieldProblem{Parameter: strings.TrimPrefix(f.Pointer, "/"), Code: f.Code, Detail: f.Detail})
	}
	return out
}
