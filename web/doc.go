// Package web is the HTTP edge: routes, who may call them, what they cost, and
// how an error looks from outside. It is the only importer of echo.
//
// It promises: every answer that is not a success is an RFC 9457 problem with a
// stable code and a request id (or, for a browser that asked for a page, an
// error page that says the same); an error that nobody foresaw is a 500 whose
// inner text stays in the log; nothing secret is logged (no query strings, no
// Authorization, no cookies, no bodies); a body is bounded before it is parsed;
// a POST with an Idempotency-Key has one effect, however often it arrives.
// It does not decide anything about orders or payments: handlers decode, call
// one service, encode.
//
// It fails closed: what cannot be authenticated is 401, what belongs to
// somebody else is 404, and a store that is away is 503 with Retry-After.
//
// # Decisions
//
//   - openapi.json comes first: oapi-codegen makes of it the request bodies, the
//     interface that [Server] implements and the table of where each operation is
//     (openapi.gen.go, by the templates in codegen; go generate). Its own wrappers
//     and strict server are left out: they decode leniently, cannot say by JSON
//     pointer what is wrong and need a library at run time; answers are the
//     domain's summaries, which events carry too, held against the document by the
//     tests. The generator runs by go run and is no dependency.
//   - One table of routes (routetable.go) names role, scope, budget, body limit and
//     idempotency mode of every operation, so that none of them can be forgotten.
//   - One ordered table turns errors into problems (problem.go) and one lists
//     the codes with meaning and fix (codes.go), which /docs shows.
//   - Bodies are read completely, under a deadline, before a handler runs. The
//     server then needs neither ReadTimeout nor WriteTimeout, both of which
//     would cut streams; an ordinary answer has a write deadline of its own.
//   - go-json-experiment decodes: it refuses duplicate and unknown members and
//     invalid UTF-8, and says where by JSON pointer.
//   - Forgery by another site is refused with the standard library's
//     CrossOriginProtection wherever cookies could authenticate a change; a
//     token in a form would do no better in today's browsers.
//   - echo routes and carries the request's values, no more: handlers return
//     data or errors, so that another router would be a day's work.
//   - client_golang counts, in a registry of its own, labelled by route.
//   - Callers are limited by token buckets in two generations of a plain map
//     (buckets.go): a million addresses cost the memory of the newest hundred
//     thousand, exactly, and one lookup. A general cache took several times as
//     long to forget, beside the requests, and was over its bound meanwhile.
package web
