package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/services/fault"
)

const testSecret = "whsec_test_0123456789"

const goodEvent = `{"id":"evt_1","object":"event","type":"ping","api_version":"2024-06-20","created":1700000000,
	"livemode":false,"data":{"object":{"id":"x"}}}`

func sign(payload string, secret string, at time.Time) string {
	mac := webhook.ComputeSignature(at, []byte(payload), secret)
	return fmt.Sprintf("t=%d,v1=%x", at.Unix(), mac)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	good := sign(goodEvent, testSecret, now)
	for _, c := range []struct{ name, payload, header string }{
		{"a good signature", goodEvent, good},
		{"a second signature beside it", goodEvent, "t=1800000000,v1=" + "00" + "," + good[len("t=1800000000,"):]},
		{"300 seconds old", goodEvent, sign(goodEvent, testSecret, now.Add(-300*time.Second))},
		{"300 seconds ahead", goodEvent, sign(goodEvent, testSecret, now.Add(300*time.Second))},
		{"a type of 255 bytes", strings.Replace(goodEvent, "ping", strings.Repeat("x", 255), 1), ""},
		{"another API version",
			`{"id":"evt_1","object":"event","type":"ping","api_version":"2025-03-31.basil","data":{"object":{"id":"x"}}}`, ""},
		{"the secret that is being rotated in", goodEvent, sign(goodEvent, "whsec_next", now)},
	} {
		t.Run("accepts "+c.name, func(t *testing.T) {
			if c.header == "" {
				c.header = sign(c.payload, testSecret, now)
			}
			event, err := verify([]byte(c.payload), c.header, []string{testSecret, "whsec_next"}, now)
			if err != nil || event.ID != "evt_1" {
				t.Errorf("event = %q, %v; want evt_1", event.ID, err)
			}
		})
	}
	for _, c := range []struct {
		name, payload, header string
		secrets               []string
		want                  Refusal
	}{
		{want: RefusedHeader, name: "no signature", payload: goodEvent, header: "-"},
		{want: RefusedSecret, name: "another secret", payload: goodEvent, header: sign(goodEvent, "whsec_other", now)},
		{want: RefusedSecret, name: "a tampered body", payload: goodEvent + " ", header: good},
		{want: RefusedSecret, name: "no body", payload: "", header: good},
		{want: RefusedTime, name: "301 seconds old", payload: goodEvent,
			header: sign(goodEvent, testSecret, now.Add(-301*time.Second))},
		{want: RefusedTime, name: "301 seconds ahead", payload: goodEvent,
			header: sign(goodEvent, testSecret, now.Add(301*time.Second))},
		{want: RefusedHeader, name: "a recent time before an old signature", payload: goodEvent,
			header: "t=1800000000," + sign(goodEvent, testSecret, now.Add(-time.Hour))},
		{want: RefusedSecret, name: "a recent time after an old signature", payload: goodEvent,
			header: sign(goodEvent, testSecret, now.Add(-time.Hour)) + ",t=1800000000"},
		{want: RefusedSecret, name: "an unknown scheme only", payload: goodEvent,
			header: "t=1800000000,v0=" + good[len("t=1800000000,v1="):]},
		{want: RefusedEvent, name: "cut off JSON", payload: `{"id":"evt_1"`},
		{want: RefusedEvent, name: "no data", payload: `{"id":"evt_1","object":"event","type":"ping"}`},
		{want: RefusedEvent, name: "empty data", payload: `{"id":"evt_1","object":"event","type":"ping","data":{}}`},
		{want: RefusedEvent, name: "a null object",
			payload: `{"id":"evt_1","object":"event","type":"ping","data":{"object":null}}`},
		{want: RefusedEvent, name: "no id", payload: `{"object":"event","type":"ping","data":{"object":{"id":"x"}}}`},
		{want: RefusedEvent, name: "a type of kilobytes", payload: `{"id":"evt_1","object":"event","type":"` +
			strings.Repeat("x", 256) + `","data":{"object":{"id":"x"}}}`},
		{want: RefusedEvent, name: "no event",
			payload: `{"id":"evt_1","object":"charge","type":"ping","data":{"object":{"id":"x"}}}`},
		{want: RefusedSecret, name: "an empty secret", payload: goodEvent, header: sign(goodEvent, "", now),
			secrets: []string{""}},
		{want: RefusedSecret, name: "no secret", payload: goodEvent, header: sign(goodEvent, "", now), secrets: []string{}},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			if c.header == "" {
				c.header = sign(c.payload, testSecret, now)
			}
			if c.secrets == nil {
				c.secrets = []string{testSecret}
			}
			_, err := verify([]byte(c.payload), c.header, c.secrets, now)
			if !fault.Is(err, fault.SignatureInvalid) || !errors.Is(err, c.want) {
				t.Errorf("error = %v, want signature invalid: %s", err, c.want)
			}
		})
	}
}
