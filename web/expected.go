package web

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// expected says in words what a member should have been.
func expected(e *json.SemanticError) string {
	t := e.GoType
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "another type"
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a time such as 2026-11-23T09:00:00Z"
	case reflect.TypeFor[span]():
		return "a positive number of seconds, or text such as \"90m\""
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64:
		if digits := strings.TrimPrefix(string(e.JSONValue), "-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
			return "a number with fewer digits"
		}
		return "a whole number, without quotes, fraction or exponent"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "another type"
}
