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
		{"/control/delivery", "mode=loud", "There is no delivery “loud”"},
		{"/control/delivery", "mode=duplicate&times=1", "times must be a whole number from 2 to 20, not “1”"},
		{"/control/delivery", "mode=duplicate&times=many", "not “many”"},
		{"/control/delivery", "mode=dropped&events=0", "events must be"},
		{"/control/delivery", "mode=delayed&seconds=-1", "seconds must be"},
		{"/control/delivery", "mode=dropped&types=charge.exploded", "There is no event type “charge.exploded”"},
		{"/control/delivery", "mode=parallel", "There is no delivery “parallel”"},
		{"/control/delivery", "mode=normal&tiems=2", "There is no field tiems here"},
		{"/control/delivery", "redirect_first=maybe", "redirect_first must be true or false"},
		{"/control/release", "all=yes", "There is no field all here"},
		{"/control/events/evt_1/redeliver", "times=50", "times must be"},
		{"/control/delivery", "mode=%00", "The form cannot be read"},
	} {
		status, answer := s.control(t, http.MethodPost, c.path, c.form)
		failure, _ := answer["error"].(map[string]any)
		text, _ := failure["message"].(string)
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, c.says) {
			t.Errorf("POST %s %s: got %d %q, want 422 %q", c.path, c.form, status, text, c.says)
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
