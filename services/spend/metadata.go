package spend

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// maxMetadataBytes bounds the JSON metadata of a request.
const maxMetadataBytes = 8 << 10

// canonical checks metadata and normalises it, so that the order of its keys does not make another request. Numbers
// keep their digits.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) > maxMetadataBytes {
		return nil, fault.Field("metadata", fault.MetadataTooLarge)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || !storable(object) {
		return nil, fault.Field("metadata", fault.BodyUnreadable)
	}
	return json.Marshal(object)
}

// storable reports whether jsonb can store the value: no NUL character, no number beyond the range of a float.
func storable(value any) bool {
	switch v := value.(type) {
	case string:
		return models.Storable(v)
	case json.Number:
		f, err := v.Float64()
		// A float rounds a number such as 1e-20000 to 0, but jsonb refuses it.
		tiny := f == 0 && strings.ContainsAny(string(v), "123456789")
		return err == nil && !tiny && len(v) <= 100
	case []any:
		for _, item := range v {
			if !storable(item) {
				return false
			}
		}
	case map[string]any:
		for key, item := range v {
			if !models.Storable(key) || !storable(item) {
				return false
			}
		}
	}
	return true
}
