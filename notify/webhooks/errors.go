package webhooks

import (
	"errors"
	"strings"
)

// ErrNotFound says that the merchant has no such endpoint. Somebody else's
// endpoint is not found either.
var ErrNotFound = errors.New("webhooks: no such endpoint")

// FieldError names one field that does not fit, by JSON pointer.
type FieldError struct {
	Pointer string
	Code    string
	Detail  string
}

// InvalidError lists everything that is wrong with an input. Nothing was
// changed.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string {
	var b strings.Builder
	b.WriteString("webhooks: invalid input")
	for _, f := range e.Fields {
		b.WriteString("; " + f.Pointer + ": " + f.Detail)
	}
	return b.String()
}

// ConflictError says that the state of things does not allow the change.
// Nothing was changed.
type ConflictError struct {
	Code    string
	Detail  string
	Status  string // the endpoint's status, where one is concerned
	Version int64  // the endpoint's version, where a caller insisted on another
}

func (e *ConflictError) Error() string { return "webhooks: " + e.Code + ": " + e.Detail }

func invalid(pointer, code, detail string) *InvalidError {
	return &InvalidError{Fields: []FieldError{{Pointer: pointer, Code: code, Detail: detail}}}
}
