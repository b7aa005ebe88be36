package stripe_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
	sandbox "github.com/resume-matcher/credits/services/sandbox/stripe"
)

func (s *fixture) endpoints(t *testing.T) []*stripe.WebhookEndpoint {
	t.Helper()
	var all []*stripe.WebhookEndpoint
	list := s.api.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{})
	for list.Next() {
		all = append(all, list.WebhookEndpoint())
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list endpoints: %v", err)
	}
	return all
}

func TestEndpointIsCreatedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	params := &stripe.WebhookEndpointParams{
		URL:           stripe.String("https://shop.example.com/hook"),
		EnabledEvents: stripe.StringSlice([]string{"charge.refunded", "customer.deleted"}),
		APIVersion:    stripe.String("2024-06-20"), Description: stripe.String("Shop"), Connect: stripe.Bool(false),
	}
	params.AddMetadata("team", "credits")
	made, err := s.api.WebhookEndpoints.New(params)
	if err != nil {
		t.Fatalf("make endpoint: %v", err)
	}
	if len(made.Secret) < 30 || made.Secret[:6] != "whsec_" || made.Status != "enabled" ||
		made.APIVersion != "2024-06-20" || made.Livemode ||
		made.Description != "Shop" || made.Metadata["team"] != "credits" || made.Object != "webhook_endpoint" ||
		made.Created == 0 {
		t.Errorf("endpoint: got %+v", made)
	}
	kept, err := s.api.WebhookEndpoints.Get(made.ID, nil)
	if err != nil || kept.Secret != "" || kept.URL != made.URL ||
		!cmp.Equal(kept.EnabledEvents, []string{"charge.refunded", "customer.deleted"}) {
		t.Errorf("kept: got %+v, %v", kept, err)
	}
	change := &stripe.WebhookEndpointParams{
		URL: stripe.String("https://shop.example.com/other"), EnabledEvents: stripe.StringSlice([]string{"*"}),
		Disabled: stripe.Bool(true), Description: stripe.String(""),
	}
	if changed, err := s.api.WebhookEndpoints.Update(made.ID, change); err != nil || changed.Status != "disabled" ||
		changed.Description != "" ||
		changed.URL != "https://shop.example.com/other" || !cmp.Equal(changed.EnabledEvents, []string{"*"}) ||
		changed.Secret != "" || changed.Metadata["team"] != "credits" {
		t.Errorf("changed: got %+v, %v", changed, err)
	}
	if again, err := s.api.WebhookEndpoints.Update(made.ID,
		&stripe.WebhookEndpointParams{Disabled: stripe.Bool(false)}); err != nil || again.Status != "enabled" {
		t.Errorf("enabled: got %+v, %v", again, err)
	}
	if all := s.endpoints(t); len(all) != 2 || all[0].ID != made.ID || all[0].Secret != "" {
		t.Errorf("got %d endpoints, want the new one and the program's own", len(all))
	}
	if gone, err := s.api.WebhookEndpoints.Del(made.ID, nil); err != nil || !gone.Deleted || gone.ID != made.ID {
		t.Errorf("deleted: got %+v, %v", gone, err)
	}
	_, err = s.api.WebhookEndpoints.Get(made.ID, nil)
	wantError(t, err, http.StatusNotFound, "resource_missing", "id")
	if all := s.endpoints(t); len(all) != 1 {
		t.Errorf("got %d endpoints, want the program's own alone", len(all))
	}
}

func TestEndpointRefusesUnknownEventsAndVersions(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, c := range map[string]struct {
		spoil       func(*stripe.WebhookEndpointParams)
		code, param string
	}{
		"an event of a later version": {func(p *stripe.WebhookEndpointParams) {
			p.EnabledEvents[1] = stripe.String(
				"refund.failed")
		}, "", "enabled_events[1]"},
		"no events": {func(p *stripe.WebhookEndpointParams) { p.EnabledEvents = nil }, "parameter_missing",
			"enabled_events"},
		"a later version": {func(p *stripe.WebhookEndpointParams) { p.APIVersion = stripe.String("2024-10-28.acacia") }, "",
			"api_version"},
		"no address": {func(p *stripe.WebhookEndpointParams) { p.URL = nil }, "parameter_missing", "url"},
		"a bare host": {func(p *stripe.WebhookEndpointParams) { p.URL = stripe.String("shop.example.com") },
			"url_invalid", "url"},
		"disabled from the start": {func(p *stripe.WebhookEndpointParams) { p.Disabled = stripe.Bool(true) },
			"parameter_unknown", "disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := &stripe.WebhookEndpointParams{
				URL:           stripe.String("https://shop.example.com/hook"),
				EnabledEvents: stripe.StringSlice([]string{"charge.refunded", "refund.created"}),
			}
			c.spoil(params)
			_, err := s.api.WebhookEndpoints.New(params)
			wantError(t, err, http.StatusBadRequest, c.code, c.param)
		})
	}
}

func TestOwnEndpointHasItsPublicAddress(t *testing.T) {
	t.Parallel()
	database, hooks := dbtest.Empty(t), newReceiver(t)
	begin := func(public string) *fixture {
		o := options(database, hooks.URL)
		o.PublicWebhookURL = public
		return startWith(t, o, hooks)
	}
	s := begin("https://credits.example.com/api/stripe/webhook")
	own := s.endpoints(t)
	if len(own) != 1 || own[0].URL != "https://credits.example.com/api/stripe/webhook" ||
		own[0].APIVersion != sandbox.Version ||
		own[0].Status != "enabled" || len(own[0].EnabledEvents) != 20 || own[0].Secret != "" {
		t.Fatalf("endpoints: got %+v", own)
	}
	if _, err := s.api.WebhookEndpoints.Update(own[0].ID,
		&stripe.WebhookEndpointParams{Description: stripe.String("mine")}); err != nil {
		t.Fatalf("change own endpoint: %v", err)
	}
	again := begin("https://credits.example.com/api/stripe/webhook")
	if all := again.endpoints(t); len(all) != 1 || all[0].ID != own[0].ID || all[0].Description != "mine" {
		t.Errorf("after another start: %+v", all)
	}
	if all := begin("https://moved.example.com/hook").endpoints(t); len(all) != 1 || all[0].ID != own[0].ID ||
		all[0].URL != "https://moved.example.com/hook" {
		t.Errorf("after a move: %+v", all)
	}
}
