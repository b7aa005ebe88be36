package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// apiError is the envelope of every API error.
type apiError struct {
	RequestID string `json:"request_id"`
	Error     *struct {
		Code    string         `json:"code"`
		Message string         `json:"message"`
		Detail  map[string]any `json:"detail"`
	} `json:"error"`
}

// call sends JSON with the visitor's session and returns status, envelope, raw answer and headers.
func (v *visitor) call(method, path, body string, header map[string]string) (int, apiError, string, http.Header) {
	v.t.Helper()
	all := map[string]string{"Content-Type": "application/json", "Accept-Language": v.locale}
	maps.Copy(all, header)
	res, text := request(v.t, v.client, method, v.site.url+path, body, all)
	var r apiError
	if res.StatusCode >= 400 {
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.Error == nil || r.Error.Message == "" ||
			!strings.HasPrefix(r.RequestID, "req_") {
			v.t.Errorf("%s %s: status %d without the error envelope: %s", method, path, res.StatusCode, text)
			return res.StatusCode, apiError{Error: &struct {
				Code    string         `json:"code"`
				Message string         `json:"message"`
				Detail  map[string]any `json:"detail"`
			}{}}, text, res.Header
		}
		if res.Header.Get("X-Request-ID") != r.RequestID {
			v.t.Errorf("%s %s: X-Request-ID = %q, want %q as in the body", method, path, res.Header.Get("X-Request-ID"),
				r.RequestID)
		}
	}
	return res.StatusCode, r, text, res.Header
}
