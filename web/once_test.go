package web

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAnswer_is_stored_as_JSON(t *testing.T) {
	t.Parallel()
	header := map[string]string{"Location": "/v1/orders/ord_1", "ETag": `"1"`}
	for name, a := range map[string]answer{
		"with a body":    {Status: 201, Header: header, Body: json.RawMessage(`{"note":"<&> }"}`)},
		"without a body": {Status: 204, Header: header},
		"of two lines":   {Status: 200, Body: json.RawMessage("{\n}")},
	} {
		stored, err := a.stored()
		if err != nil {
			t.Fatal(err)
		}
		var back answer
		err = json.Unmarshal(stored, &back)
		if diff := cmp.Diff(a, back, cmpopts.IgnoreUnexported(answer{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-made +stored):\n%s", name, err, diff)
		}
	}
}
