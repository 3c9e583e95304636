package web

import (
	"context"
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

// The document comes first: the request bodies, the interface that the handlers
// implement and the table of where each operation is are made from it.
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config codegen/config.yaml -o openapi.gen.go openapi.json

//go:embed openapi.json
var openAPIDocument []byte

// OpenAPI is the description of the API, OpenAPI 3.1.
func OpenAPI() []byte { return append([]byte(nil), openAPIDocument...) }

//go:embed asyncapi.json
var asyncAPIDocument []byte

// AsyncAPI is the description of the events on every way, AsyncAPI 3.
func AsyncAPI() []byte { return append([]byte(nil), asyncAPIDocument...) }

var _ operations = (*Server)(nil)

// endpoint is what the document says of one operation.
type endpoint struct {
	method, path string
	query        []string         // the parameters that it has
	do           operation        // an ordinary answer
	stream       echo.HandlerFunc // or a feed: no deadline, not in latency figures
}

// withBody gives an operation its JSON body.
func withBody[T any](do func(context.Context, echo.Context, T) (answer, error)) operation {
	return func(ctx context.Context, c echo.Context) (answer, error) {
		var in T
		if err := decode(c, &in); err != nil {
			return answer{}, err
		}
		return do(ctx, c, in)
	}
}

// withOptionalBody is withBody for a body that may be left out.
func withOptionalBody[T any](do func(context.Context, echo.Context, T) (answer, error)) operation {
	return func(ctx context.Context, c echo.Context) (answer, error) {
		var in T
		if err := decodeOptional(c, &in); err != nil {
			return answer{}, err
		}
		return do(ctx, c, in)
	}
}

func (s *Server) getDescription(c echo.Context) error {
	return describe(c, openAPIDocument)
}

func (s *Server) getEventDescription(c echo.Context) error {
	return describe(c, asyncAPIDocument)
}

func describe(c echo.Context, document []byte) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*") // the same for everybody, and no cookie is looked at
	return c.Blob(http.StatusOK, "application/json", document)
}
