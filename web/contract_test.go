package web_test

import (
	"net/http"
	"testing"
)

func checkContract(t *testing.T, _ *http.Request, _ *http.Response, _ []byte) { t.Helper() }
