package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/purchase"
)

// However hostile a text is, whoever sends it and wherever, the log has whole lines of JSON, and none is forged.
func TestHostileTextsForgeNoLine(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, log := f.serve(transport.Slots{})
	lines := logging.NewLogger(log, -4, "json")
	f.handler.Webhook.Log, f.handler.Webhook.Purchase = lines, &purchase.Service{DB: f.db, Now: models.Now, Log: lines}
	deliver := func(id, kind, version string) int {
		payload, err := json.Marshal(map[string]any{"id": id, "object": "event", "type": kind, "api_version": version,
			"data": map[string]any{"object": map[string]any{"id": "x"}}})
		if err != nil {
			t.Fatal(err)
		}
		now := models.Now()
		signature := webhook.ComputeSignature(now, payload, "whsec_0123456789")
		res, _ := dial(t, address).send(fmt.Sprintf("POST /api/stripe/webhook HTTP/1.1\r\nHost: localhost\r\n"+
			"Content-Length: %d\r\nStripe-Signature: t=%d,v1=%x\r\n\r\n%s", len(payload), now.Unix(), signature, payload))
		return res.StatusCode
	}
	const forged = `{"level":"ERROR","msg":"forged"}`
	for name, text := range map[string]string{
		"line feeds": "a\n" + forged + "\n", "carriage returns": "a\r\n" + forged, "colours": "\x1b[31m" + forged,
		"line separators": "a\u2028" + forged + "\u2029", "half a megabyte": strings.Repeat("\n\u2028", 1<<16),
	} {
		for what, status := range map[string]int{"id": deliver(text, "ping", "v"), "type": deliver("evt_"+name, text, "v"),
			"version": deliver("evt_v_"+name, "ping", text)} {
			if status != http.StatusOK && status != http.StatusBadRequest {
				t.Errorf("%s as an event's %s: status %d, want 200 or 400", name, what, status)
			}
		}
		path := "/api/v1/" + url.PathEscape(text[:min(len(text), 2000)])
		agent := strings.NewReplacer("\n", "", "\r", "").Replace(text[:min(len(text), 2000)]) // no header can hold these
		for _, target := range []string{path, "/en/history?filter=" + url.QueryEscape(text[:min(len(text), 2000)])} {
			dial(t, address).send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + agent +
				"\r\nX-Request-ID: " + agent + "\r\n" + f.cookie + "\r\n\r\n")
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for line := range strings.Lines(log.text.String()) {
		var l struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Msg == "" || l.Msg == "forged" || len(line) > 40<<10 ||
			strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\n\r\x1b\u2028\u2029") {
			t.Errorf("%d bytes that are not a clean line (%v): %.300q", len(line), err, line)
		}
	}
}
