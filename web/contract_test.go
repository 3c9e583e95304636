package web_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"tracker/web"
)

// contract is the OpenAPI document as the tests hold every answer against it,
// and which answers they have seen.
type contract struct {
	doc    *openapi3.T
	router routers.Router

	mu   sync.Mutex
	seen map[string]map[int]bool // by operation
}

var loadContract = sync.OnceValues(func() (*contract, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(strict(web.OpenAPI()))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context, openapi3.EnableExamplesValidation()); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	return &contract{doc: doc, router: router, seen: map[string]map[int]bool{}}, err
})

// strict closes every object of the document, so that an undocumented member of
// an answer is found. Clients are promised that members may be added.
func strict(document []byte) []byte {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		panic(err)
	}
	closeObjects(v)
	return must(json.Marshal(v))
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, has := v["properties"].(map[string]any)
		if _, open := v["additionalProperties"]; has && !open && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}

// checkContract holds one answer against the document.
func checkContract(t *testing.T, r *http.Request, res *http.Response, body []byte) {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	route, params, err := c.router.FindRoute(&http.Request{Method: r.Method, URL: r.URL, Header: r.Header})
	if err != nil {
		return // not an operation
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	// A stream has no end to be checked at; its events are those of the polls.
	in.Options.ExcludeResponseBody = res.Header.Get("Content-Type") == "text/event-stream"
	in.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		t.Errorf("%s %s answers %d against the document: %v\n%s", r.Method, r.URL.Path, res.StatusCode, err, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[route.Operation.OperationID] == nil {
		c.seen[route.Operation.OperationID] = map[int]bool{}
	}
	c.seen[route.Operation.OperationID][res.StatusCode] = true
}

// TestMain ends with what no single test can tell: every operation was seen to
// give each success that it promises, and to fail, and every code was produced.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		missing, count := uncovered()
		fmt.Println(count)
		for _, line := range missing {
			fmt.Println(line)
			code = 1
		}
	}
	os.Exit(code)
}

// uncovered lists what the tests have not seen of the document, and says how
// much they have.
func uncovered() (missing []string, count string) {
	c, err := loadContract()
	if err != nil {
		return []string{err.Error()}, ""
	}
	var operations, successes, failures int
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			operations++
			failed := 0
			for text := range op.Responses.Map() {
				status, _ := strconv.Atoi(text)
				switch seen := c.seen[op.OperationID][status]; {
				case seen && status >= 400:
					failed++
				case seen:
					successes++
				case status < 400:
					missing = append(missing, fmt.Sprintf("%s %s: no test sees a %d", method, path, status))
				}
			}
			failures += failed
			if failed == 0 {
				missing = append(missing, fmt.Sprintf("%s %s: no test sees it fail", method, path))
			}
		}
	}
	for _, c := range web.Codes() {
		if _, ok := producedCodes.Load(c.Code); !ok {
			missing = append(missing, fmt.Sprintf("code %s: no test produces it", c.Code))
		}
	}
	return missing, fmt.Sprintf("%d operations: %d kinds of success and %d of failure seen; %d codes", operations, successes, failures, len(web.Codes()))
}

func TestContract_document_and_routes_agree(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	s := sqliteStack(t)
	var documented []string
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(documented)
	served := slices.Clone(must(web.New(s.deps())).Routes())
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented %v\nserved %v", documented, served)
	}
}

// Every operation that asks for a credential refuses who has none, and a key
// that was revoked.
func TestContract_every_operation_is_guarded(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	s := sqliteStack(t)
	revoked := s.newKey(s.merchant.ID)
	for _, k := range must(s.keys.List(t.Context(), s.merchant.ID)) {
		must(s.keys.Revoke(t.Context(), s.merchant.ID, k.ID, 0))
	}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if len(*op.Security) == 0 {
				continue
			}
			for _, credential := range []string{"", "Bearer " + revoked} {
				res := s.do(method, fill(path), "{}", header{"Authorization": credential})
				wantProblem(t, res, http.StatusUnauthorized, "unauthorized")
			}
		}
	}
}

// fill puts an id into a path of the document, of the kind that it asks for.
func fill(path string) string {
	id := "ord_01jd9zq3k4e8xv7t2m5n6p8r9s"
	if strings.HasPrefix(path, "/v1/payments/") {
		id = "pay_01jd9zq9w2c4f6h8k0m2p4r6t8"
	}
	return strings.Replace(path, "{id}", id, 1)
}
