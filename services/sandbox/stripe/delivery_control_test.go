package stripe_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestControlsRefuseInvalidValues(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ path, form, says string }{
		{"/control/delivery", "mode=loud", "Invalid mode: must be one of normal, duplicate, "},
		{"/control/delivery", "mode=duplicate&times=1", "must be greater than or equal to 2"},
		{"/control/delivery", "mode=duplicate&times=many", "Invalid integer: many"},
		{"/control/delivery", "mode=dropped&events=0", "must be greater than or equal to 1"},
		{"/control/delivery", "mode=delayed&seconds=-1", "must be greater than or equal to 1"},
		{"/control/delivery", "mode=parallel", "Invalid mode"},
		{"/control/delivery", "mode=normal&tiems=2", "Received unknown parameter: tiems"},
		{"/control/delivery", "redirect_first=maybe", "Invalid boolean: maybe"},
		{"/control/release", "all=yes", "Received unknown parameter: all"},
		{"/control/events/evt_1/redeliver", "times=50", "must be less than or equal to 20"},
		{"/control/delivery", "mode=%00", "Invalid string"},
	} {
		status, answer := s.control(t, http.MethodPost, c.path, c.form)
		failure, _ := answer["error"].(map[string]any)
		text, _ := failure["message"].(string)
		if status != http.StatusBadRequest || !strings.Contains(text, c.says) {
			t.Errorf("POST %s %s: got %d %q, want 400 %q", c.path, c.form, status, text, c.says)
		}
	}
	if status, answer := s.control(t, http.MethodPost, "/control/events/evt_1/redeliver",
		""); status != http.StatusNotFound {
		t.Errorf("send an unknown event again: got %d %v, want 404", status, answer)
	}
	if state := s.state(t); state["mode"] != "normal" || state["redirect_first"] != false {
		t.Errorf("state: got %v, want it untouched", state)
	}
	foreign := map[string]string{"Origin": "http://localhost:3000"}
	for _, path := range []string{"/control/delivery", "/control/release", "/control/events/evt_1/redeliver"} {
		if got := s.do(t, http.MethodPost, path, url.Values{"mode": {"dropped"}},
			foreign).StatusCode; got != http.StatusForbidden {
			t.Errorf("POST %s from elsewhere: got %d, want 403", path, got)
		}
	}
}
