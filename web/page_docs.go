package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// members are the members of a JSON object in the order in which they stand: the
// document is written for readers, and Go's maps forget that.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

// UnmarshalJSON keeps the order.
func (m *members) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		*m = append(*m, member{key.(string), value})
	}
	return nil
}

// The parts of an OpenAPI document that /docs shows.
type (
	apiDocument struct {
		Tags       []struct{ Name, Description string }
		Paths      members
		Components struct {
			Parameters map[string]apiParameter
			Schemas    map[string]apiSchema
			Responses  map[string]apiResponse
		}
	}
	apiOperation struct {
		OperationID, Summary, Description string
		Tags                              []string
		Parameters                        []apiParameter
		RequestBody                       apiResponse
		Responses                         members
	}
	apiParameter struct {
		Ref                   string `json:"$ref"`
		Name, In, Description string
		Required              bool
	}
	apiSchema struct {
		Ref         string `json:"$ref"`
		Type        any
		Description string
		Properties  members
		Required    []string
		AllOf       []apiSchema
		Items       *apiSchema
		Enum        []any
	}
	apiResponse struct {
		Ref         string `json:"$ref"`
		Description string
		Content     map[string]struct {
			Schema   apiSchema
			Examples map[string]struct{ Value json.RawMessage }
		}
	}
)

// docsBody is the documentation as its template wants it.
type docsBody struct {
	State  string
	Key    string
	Base   string
	Groups []docsGroup
	Codes  []Code
}

type docsGroup struct {
	ID, Name, Text string
	Operations     []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Text string
	Fields                          []docsField
	Curl                            string
	Status, Example                 string
	Answers                         []docsAnswer
}

type docsField struct {
	Name, Kind, Where, Text string
	Required                bool
}

type docsAnswer struct{ Status, Text string }

// docsPage is made from the same document that /openapi.json serves.
func (s *Server) docsPage(c echo.Context) error {
	var doc apiDocument
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		return err
	}
	b := docsBody{State: "ready", Key: "sk_test_…", Base: s.deps.PublicURL, Codes: Codes()}
	if s.deps.Sandbox && s.deps.Pages.DemoKey != "" {
		b.Key = s.deps.Pages.DemoKey
	} else {
		b.State = "no_key"
	}
	groups, err := doc.groups(b.Base, b.Key)
	if err != nil {
		return err
	}
	b.Groups = groups
	p := s.english()
	out := page{words: p.words, Title: "Docs - Tracker", Brand: "Tracker", BrandURL: "/", Body: b, Scripts: []string{"docs.js"}, Nav: demoNav()}
	return s.render(c, http.StatusOK, "docs", out, pagePolicy{})
}

func (d apiDocument) groups(base, key string) ([]docsGroup, error) {
	var list []docsGroup
	at := map[string]int{}
	for _, t := range d.Tags {
		at[t.Name] = len(list)
		list = append(list, docsGroup{ID: strings.ToLower(t.Name), Name: t.Name, Text: t.Description})
	}
	for _, path := range d.Paths {
		var methods members
		if err := json.Unmarshal(path.value, &methods); err != nil {
			return nil, err
		}
		for _, m := range methods {
			var op apiOperation
			if m.name == "parameters" || json.Unmarshal(m.value, &op) != nil || op.OperationID == "" || len(op.Tags) == 0 {
				continue
			}
			i := at[op.Tags[0]]
			list[i].Operations = append(list[i].Operations, d.operation(strings.ToUpper(m.name), path.name, op, base, key))
		}
	}
	return list, nil
}

func (d apiDocument) operation(method, path string, op apiOperation, base, key string) docsOperation {
	o := docsOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Text: op.Description}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[last(p.Ref)]
		}
		o.Fields = append(o.Fields, docsField{p.Name, "string", p.In, p.Description, p.Required})
	}
	body := ""
	if content, ok := op.RequestBody.Content["application/json"]; ok {
		o.Fields = append(o.Fields, d.fields(content.Schema)...)
		body = pretty(anyExample(content.Examples))
	}
	o.Curl = curlOf(method, base+path, key, body, op)
	for _, r := range op.Responses {
		var answer apiResponse
		if json.Unmarshal(r.value, &answer) != nil {
			continue
		}
		if answer.Ref != "" {
			answer = d.Components.Responses[last(answer.Ref)]
		}
		o.Answers = append(o.Answers, docsAnswer{r.name, answer.Description})
		if content, ok := answer.Content["application/json"]; ok && o.Example == "" && strings.HasPrefix(r.name, "2") {
			o.Status, o.Example = r.name, pretty(anyExample(content.Examples))
		}
	}
	return o
}

func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// fields lists the members of a body, following references one level down.
func (d apiDocument) fields(s apiSchema) []docsField {
	if s.Ref != "" {
		s = d.Components.Schemas[last(s.Ref)]
	}
	var list []docsField
	for _, part := range s.AllOf {
		list = append(list, d.fields(part)...)
	}
	for _, m := range s.Properties {
		var p apiSchema
		if json.Unmarshal(m.value, &p) != nil {
			continue
		}
		text := p.Description
		if p.Ref != "" {
			p = d.Components.Schemas[last(p.Ref)]
			if text == "" {
				text = p.Description
			}
		}
		f := docsField{Name: m.name, Kind: kindOf(p), Where: "body", Text: text}
		for _, r := range s.Required {
			f.Required = f.Required || r == m.name
		}
		list = append(list, f)
	}
	return list
}

func kindOf(s apiSchema) string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		var names []string
		for _, v := range t {
			if text, ok := v.(string); ok {
				names = append(names, text)
			}
		}
		return strings.Join(names, " or ")
	}
	if len(s.Enum) > 0 {
		return "string"
	}
	return "object"
}

func anyExample(list map[string]struct{ Value json.RawMessage }) json.RawMessage {
	if e, ok := list["typical"]; ok {
		return e.Value
	}
	for _, e := range list {
		return e.Value
	}
	return nil
}

func pretty(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Indent(&b, raw, "", "  ") != nil {
		return ""
	}
	return b.String()
}

// curlOf is the call as a command line that works when pasted.
func curlOf(method, url, key, body string, op apiOperation) string {
	var b strings.Builder
	b.WriteString("curl")
	if method != http.MethodGet {
		b.WriteString(" -X " + method)
	}
	b.WriteString(" " + shellWord(url) + " \\\n  -H 'Authorization: Bearer " + key + "'")
	if strings.HasSuffix(url, "/events") {
		b.WriteString(" \\\n  -H 'Accept: text/event-stream' -N")
	}
	if body != "" {
		b.WriteString(" \\\n  -H 'Content-Type: application/json'")
		for _, p := range op.Parameters {
			if strings.HasSuffix(p.Ref, "/IdempotencyKey") {
				b.WriteString(" \\\n  -H 'Idempotency-Key: a-new-one'")
			}
		}
		b.WriteString(" \\\n  -d '" + strings.ReplaceAll(body, "'", `'\''`) + "'")
	}
	return b.String()
}

func shellWord(s string) string {
	if strings.ContainsAny(s, "{}&?") {
		return "'" + s + "'"
	}
	return s
}
