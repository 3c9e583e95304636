package web

import (
	"reflect"
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
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as 2026-11-23T09:00:00Z"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number between -9223372036854775808 and 9223372036854775807"
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
