package views_test

import (
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

func adminSamples(locale string) []sample {
	user, received := sampleUser(), noon
	all := []sample{
		{"keys, none", pages.AdminKeys(pages.AdminKeysData{Locale: locale, CSRF: "token"}), []string{"make-submit"}},
		{"keys, one new",
			pages.AdminKeys(pages.AdminKeysData{Locale: locale, CSRF: "token", Keys: sampleKeys(), Made: &sampleKeys()[0],
				Plaintext: "rmc_4fXw"}),
			[]string{"new-key", "make-submit", "revoke-" + buyID.String()}},
		{"keys, shown before",
			pages.AdminKeys(pages.AdminKeysData{Locale: locale, CSRF: "token", Keys: sampleKeys(), Made: &sampleKeys()[0]}),
			[]string{"key-shown-before"}},
		{"keys, refused",
			pages.AdminKeys(pages.AdminKeysData{Locale: locale, CSRF: "token",
				Form: pages.KeyForm{Name: hostile, PerMinute: "-1", Read: true,
					Errors: map[string]string{"scopes": "a", "name": "b", "per_minute": "c",
						"": "d"}}}), []string{"scopes-error", "name-error", "per-minute-error", "key-error"}},
		{"webhooks, none", pages.AdminWebhooks(pages.AdminWebhooksData{Locale: locale, CSRF: "token"}),
			[]string{"add-submit", "event-credits-low"}},
		{"webhooks, a new secret", pages.AdminWebhooks(pages.AdminWebhooksData{Locale: locale, CSRF: "token",
			Endpoints: sampleEndpoints(), Deliveries: sampleDeliveries(), Made: &sampleEndpoints()[0], Secret: "made once"}),
			[]string{"new-secret", "add-submit", "rotate-" + buyID.String(), "remove-submit-" + buyID.String(), "again-7"}},
		{"webhooks, shown before", pages.AdminWebhooks(pages.AdminWebhooksData{Locale: locale, CSRF: "token",
			Endpoints: sampleEndpoints(), Made: &sampleEndpoints()[0]}), []string{"secret-shown-before"}},
		{"webhooks, refused", pages.AdminWebhooks(pages.AdminWebhooksData{Locale: locale, CSRF: "token",
			Form: pages.WebhookForm{URL: hostile, LowThreshold: "-1", Errors: map[string]string{"url": "a", "events": "b",
				"low_threshold": "c", "": "d"}}}), []string{"url-error", "events-error", "low-threshold-error", "webhook-error"}},
		{"admin", pages.Admin(pages.AdminData{Locale: locale, Overview: &models.Overview{}}),
			[]string{"q", "find", "overview"}},
		{"admin, with figures", pages.Admin(pages.AdminData{Locale: locale, Overview: sampleOverview()}),
			[]string{"q", "revenue-eur", "flow", "outstanding"}},
		{"admin, found",
			pages.Admin(pages.AdminData{Locale: locale, List: pages.UserList{Query: "e", Searched: true, Sort: "balance",
				Next: "1.2", Further: true,
				Users: []models.ListedUser{{User: user}, {User: models.User{ID: 8, CreditsBalance: -5}, Claimed: "a@example.com",
					Bought: &noon}}}}), []string{"found", "next", "first"}},
		{"admin, none", pages.Admin(pages.AdminData{Locale: locale, List: pages.UserList{Query: hostile, Searched: true}}),
			[]string{"found"}},
		{"admin, too long", pages.Admin(pages.AdminData{Locale: locale, List: pages.UserList{Query: hostile, Error: "no"}}),
			[]string{"q-error"}},
		{"admin user",
			pages.AdminUser(pages.AdminUserData{Locale: locale, CSRF: "token", User: user, Entries: sampleEntries(),
				Purchases:  []models.Purchase{samplePurchase()},
				Identities: []models.Identity{{Provider: "oidc", Email: hostile, EmailVerified: true}, {Provider: "github"}},
				NextURL:    "/x", FirstURL: "/y",
				Form: pages.GrantForm{Direction: pages.DirectionGrant,
					Key: "k"}}), []string{"grant-submit", "direction-grant", "direction-correct", "credits", "note"}},
		{"admin user, refused",
			pages.AdminUser(pages.AdminUserData{Locale: locale, User: user,
				Form: pages.GrantForm{Direction: "x", Credits: "0", Note: hostile,
					Errors: map[string]string{"direction": "a", "credits": "b", "note": "c",
						"other": "d"}}}), []string{"credits-error", "note-error", "direction-error"}},
		{"admin user, sign-ins",
			pages.AdminUser(pages.AdminUserData{Locale: locale, CSRF: "token", User: user, Access: pages.AccessData{Sessions: 2,
				Refused: []pages.RefusedSignIn{{ID: "a", RefusedIdentity: models.RefusedIdentity{Issuer: hostile, Provider: "oidc",
					Email: hostile, CreatedAt: noon, LastSeenAt: noon},
					Replaces: []models.Identity{{CreatedAt: noon}}}},
				Rights: []pages.RightSignIn{{ID: "b", Identity: models.Identity{Provider: "oidc", Email: hostile}}},
				Form: pages.AccessForm{Action: pages.AccessRelink, Identity: "a", Note: hostile,
					Errors: map[string]string{"note": "a", "": "b"}}}}),
			[]string{"access-relink-a-note-error", "access-right-b", "access-sessions", "access-error"}},
		{"admin user, bare", pages.AdminUser(pages.AdminUserData{Locale: locale, User: models.User{ID: 9, CreatedAt: noon}}),
			nil},
		{"admin user, merged",
			pages.AdminUser(pages.AdminUserData{Locale: locale,
				User: models.User{ID: 9, CreatedAt: noon, MergedInto: &user.ID}}), []string{"merged"}},
		{"admin user, deleted",
			pages.AdminUser(pages.AdminUserData{Locale: locale,
				User: models.User{ID: 9, CreatedAt: noon, DeletedAt: &noon, DeleteAfter: &noon}}), []string{"deleted"}},
		{"events", pages.AdminEvents(pages.AdminEventsData{Locale: locale, LastReceived: &received, Open: sampleEvents()}),
			nil},
		{"events, none", pages.AdminEvents(pages.AdminEventsData{Locale: locale}), nil},
		{"events, filtered",
			pages.AdminEvents(pages.AdminEventsData{Locale: locale, All: sampleEvents(), Alone: true, Further: true,
				Next: "1.evt_1", Types: []string{"charge.refunded"},
				Filter: pages.ListFilter{Status: "failed",
					Object: hostile}}), []string{"status", "kind", "from", "until", "q", "older", "newest"}},
		{"events, refused",
			pages.AdminEvents(pages.AdminEventsData{Locale: locale, Alone: true, Filter: pages.ListFilter{From: hostile,
				Errors: map[string]string{"from": "a", "until": "b", "q": "c", "status": "d",
					"kind": "e"}}}), []string{"from-error", "until-error", "q-error", "status-error", "kind-error"}},
		{"audit", pages.AdminAudit(pages.AdminAuditData{Locale: locale, Entries: sampleAudit(), Next: 7, Further: true}),
			[]string{"older", "newest", "user"}},
		{"audit, none", pages.AdminAudit(pages.AdminAuditData{Locale: locale}), nil},
		{"audit, nothing found",
			pages.AdminAudit(pages.AdminAuditData{Locale: locale, Filter: pages.ListFilter{User: hostile}}), []string{"clear"}},
	}
	all = append(all, moneySamples(locale)...)
	for _, code := range fault.Codes() {
		all = append(all, sample{"error " + string(code),
			pages.Error(pages.ErrorData{Code: code, Message: "What happened", RequestID: "req_example",
				SignIn: map[bool]string{true: "/de/login"}[code == fault.Unauthenticated],
				Again:  "/de/purchase"}), []string{"request-id"}})
	}
	return all
}

// sampleOverview returns figures with two currencies and a month with every kind of entry.
func sampleOverview() *models.Overview {
	return &models.Overview{Totals: models.LedgerTotals{Purchased: 1_234_567, Returned: -500, Manual: 25, Used: 1_000_000,
		Outstanding: 234_092, Held: 10},
		Revenue: []models.Revenue{{Currency: "eur", Paid: 12345678, Refunded: 500}, {Currency: "jpy", Paid: 500}}, Users: 3,
		Waiting: 1, Review: 2, LastHook: &noon,
		Monthly: true, Slots: []models.OverviewSlot{{Begins: noon, Sold: 500, Used: 10, Returned: 5, Outstanding: 485}}}
}
