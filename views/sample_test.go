package views_test

import (
	"encoding/json"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/layouts"
	"github.com/resume-matcher/credits/views/pages"
)

var (
	noon    = time.Date(2026, time.November, 23, 14, 5, 9, 0, time.UTC)
	buyID   = uuid.MustParse("01934b2e-7c00-7000-8000-000000000001")
	hostile = `<script>alert("name")</script> %{note} Ærøskøbing`
)

func sampleUser() models.User {
	return models.User{ID: 7, Email: "erika@example.com", Name: hostile, CreditsBalance: 1234567, CreditsHeld: 10,
		StripeCustomerID: "cus_example", CreatedAt: noon}
}

func samplePrices() []models.Price {
	return []models.Price{
		{StripePriceID: "price_100", CreditsPerUnit: 100, PriceInCents: 500, Currency: "eur"},
		{StripePriceID: "price_500", CreditsPerUnit: 500, PriceInCents: 2000, Currency: "eur"},
		{StripePriceID: "price_1200", CreditsPerUnit: 1200, PriceInCents: 3500, Currency: "eur"},
	}
}

func samplePackages() []models.Offer {
	p := samplePrices()
	return []models.Offer{{Price: p[0]}, {Price: p[1]}, {Price: p[2], Bonus: 200, Best: true}}
}

func samplePurchase() models.Purchase {
	paid := noon.Add(time.Minute)
	return models.Purchase{ID: buyID, Number: 1042,
		UserID: 7, StripePriceID: "price_500", Quantity: 2, Credits: 1000, AmountCents: 4000,
		Currency: "eur",
		Status:   models.PurchasePaid, PaidAt: &paid, CreditsGranted: 1000, CreditsRefunded: 500, CreditsDisputed: 500,
		CreatedAt: noon}
}

func sampleHeld() models.PeriodHold {
	return models.PeriodHold{PurchaseID: buyID, PurchaseNumber: 1042, Credits: 1000, Until: noon.AddDate(0, 0, 14)}
}

func sampleFeatures() []pages.Feature {
	return []pages.Feature{{Name: "resume_analysis", Credits: 10, Times: 49},
		{Name: "job_match", Credits: 5, Times: 98},
		{Name: "resume_improvement", Credits: 15, Times: 32}}
}

// sampleEntries returns one entry for each reason, and those that pages show differently.
func sampleEntries() []models.CreditTransaction {
	var entries []models.CreditTransaction
	for i, reason := range models.Reasons() {
		e := models.CreditTransaction{ID: int64(100 - i), UserID: 7, DeltaCredits: -10, Reason: reason, CreatedAt: noon,
			BalanceAfter: 490}
		switch reason {
		case models.ReasonPurchase:
			e.DeltaCredits, e.Meta.PurchaseID, e.PurchaseNumber = 1000, buyID.String(), 1042
		case models.ReasonDispute:
			e.BalanceAfter = -1500
		case models.ReasonManual:
			e.DeltaCredits, e.Meta.Note = 25, hostile
		}
		entries = append(entries, e)
	}
	return entries
}

func sampleAudit() []models.AuditEntry {
	admin, user := int64(3), int64(7)
	detail, _ := json.Marshal(map[string]any{"credits": 25, "note": hostile, "transaction_id": 99})
	return []models.AuditEntry{
		{ID: 2, Actor: "admin", ActorID: &admin, Action: "credits.grant", UserID: &user, Detail: detail,
			RequestID: "req_example", CreatedAt: noon},
		{ID: 1, Actor: "operator", Action: "credits.correct", CreatedAt: noon},
	}
}

func sampleEvents() []models.StripeEvent {
	var events []models.StripeEvent
	for _, status := range []models.StripeEventStatus{models.EventReceived, models.EventDone, models.EventIgnored,
		models.EventDeferred,
		models.EventFailed, models.EventReview} {
		events = append(events, models.StripeEvent{EventID: "evt_" + string(status), Type: "checkout.session.completed",
			Status:   status,
			Attempts: 3, LastError: models.CauseFailed.Of(hostile), ReceivedAt: noon})
	}
	return events
}

func sampleKeys() []models.APIKey {
	return []models.APIKey{
		{ID: buyID, Name: hostile, Prefix: "rmc_4fXw0aZ9", Scopes: models.TextArray{"spend", "read"}, PerMinute: 1000,
			CreatedAt: noon, LastUsedAt: &noon},
		{Name: "old", Prefix: "rmc_00000000", Scopes: models.TextArray{"read"}, CreatedAt: noon, RevokedAt: &noon},
	}
}

func sampleEndpoints() []models.WebhookEndpoint {
	return []models.WebhookEndpoint{
		{ID: buyID, URL: "https://example.com/" + hostile, Events: models.AllWebhookEvents(), LowThreshold: 50, CreatedAt: noon,
			RotatingUntil: &noon, Pending: 1, Failed: 2},
		{URL: "https://example.com", Events: models.WebhookEvents{models.WebhookLow}, LowThreshold: 1, CreatedAt: noon,
			DisabledAt: &noon, DisabledCause: models.DisabledGone},
		{ID: uuid.Max, URL: "https://example.com", Events: models.WebhookEvents{models.WebhookLow}, LowThreshold: 1,
			CreatedAt: noon, DisabledAt: &noon, DisabledCause: models.DisabledByAdmin},
	}
}

func sampleDeliveries() []models.WebhookDelivery {
	return []models.WebhookDelivery{
		{ID: 7, URL: hostile, Type: models.WebhookSpent, Status: models.DeliveryDelivered, Response: 204, Attempts: 1,
			CreatedAt: noon, TriedAt: &noon},
		{ID: 8, Type: models.WebhookTest, Status: models.DeliveryPending, Attempts: 1, CreatedAt: noon, TriedAt: &noon,
			DueAt:   noon,
			Failure: models.DeliveryTimeout},
		{ID: 9, Type: models.WebhookReview, Status: models.DeliveryFailed, Attempts: 10, CreatedAt: noon, TriedAt: &noon,
			Failure: models.DeliveryStatusCode, Response: 500},
	}
}

func samplePage(locale string) layouts.Page {
	user := sampleUser()
	return layouts.Page{Title: "Sample", Locale: locale, Path: "/billing", Query: "cursor=5&x=%22", User: &user,
		Available: user.Available(), Staff: true,
		CSRF: `token"<`, Sandbox: true, Control: "http://localhost:3003/control", Flash: &layouts.Flash{Kind: layouts.FlashDone, Text: "Done & dusted"},
		RequestID: "req_example"}
}

type sample struct {
	name    string
	content templ.Component
	ids     []string // elements the page must have
}

func billing(locale string, state *pages.ReturnState) templ.Component {
	return pages.Billing(pages.BillingData{Locale: locale, CSRF: "token", User: sampleUser(), Features: sampleFeatures(),
		Latest: sampleEntries(),
		Return: state, Matcher: "/"})
}

// samples returns every page in every state that looks different.
func samples(locale string) []sample {
	all := []sample{
		{"landing", pages.Landing(pages.LandingData{Locale: locale, Packages: samplePackages(), Features: sampleFeatures()}),
			[]string{"start", "choose-1200"}},
		{"landing, signed in",
			pages.Landing(pages.LandingData{Locale: locale, Features: sampleFeatures(), User: &models.User{CreditsBalance: -1}}),
			[]string{"open", "to-purchase"}},
		{"login",
			pages.Login(pages.LoginData{Locale: locale, ReturnTo: "/en/history?cursor=3", Providers: []pages.LoginProvider{
				{Name: "oidc", Label: "Example"}, {Name: "github", Label: "GitHub"}}}), []string{"sign-in-oidc", "sign-in-github"}},
		{"leave", pages.Leave("https://resumes.example.com/"), []string{"resume-matcher"}},
		{"login without providers", pages.Login(pages.LoginData{Locale: locale}), nil},
		{"billing", billing(locale, nil), []string{"balance", "resume-matcher", "buy"}},
		{"billing, new user",
			pages.Billing(pages.BillingData{Locale: locale, Features: []pages.Feature{{Name: "resume_analysis", Credits: 10}}}),
			[]string{"buy"}},
		{"billing, below zero",
			pages.Billing(pages.BillingData{Locale: locale, User: models.User{CreditsBalance: -500},
				Features: sampleFeatures()}), []string{"balance-negative"}},
		{"purchase",
			pages.Purchase(pages.PurchaseData{Locale: locale, CSRF: "token", Key: "k", Packages: samplePackages(),
				Features: sampleFeatures(), Quantity: "1"}),
			[]string{"package-100", "package-500", "package-1200", "quantity", "place-order"}},
		{"purchase, refused",
			pages.Purchase(pages.PurchaseData{Locale: locale, CSRF: "token", Key: "k", Packages: samplePackages(),
				PriceID:  "price_500",
				Quantity: "101", Errors: map[string]string{"quantity": "1 to 100"}}), []string{"quantity-error"}},
		{"purchase, unknown package",
			pages.Purchase(pages.PurchaseData{Locale: locale, Packages: samplePackages(), PriceID: "price_x", Quantity: "1",
				Errors: map[string]string{"price_id": "No such package"}}), nil},
		{"purchase, small business",
			pages.Purchase(pages.PurchaseData{Locale: locale, Packages: samplePackages(), Quantity: "1", SmallBusiness: true}),
			[]string{"vat"}},
		{"no packages", pages.Purchase(pages.PurchaseData{Locale: locale, Quantity: "1"}), nil},
		{"purchase detail",
			pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: samplePurchase(), Entries: sampleEntries()}),
			nil},
		{"history",
			pages.History(pages.HistoryData{Locale: locale, Entries: sampleEntries(), NextURL: "/en/history?cursor=9",
				FirstURL: "/en/history"}),
			[]string{"older", "newest"}},
		{"API", pages.APIReference(sampleDocs()), []string{"document", "spendCredits"}},
		{"account",
			pages.Account(pages.AccountData{Locale: locale, CSRF: "token", Name: hostile, Language: "de", MaxName: 200,
				SignIns: []pages.SignIn{{ID: "a", Provider: "Google",
					Email: hostile, Last: noon}, {ID: "b", Provider: "GitHub", Last: noon}}, Sessions: []pages.AccountSession{{ID: "s",
					Here: true, Seen: noon}, {ID: "t", Device: "Firefox, Linux"}},
				Linkable: []pages.Linkable{{Name: "google", Label: "Google",
					URL: "/auth/google?purpose=link"}}}), []string{"unlink-a", "link-google", "end-t", "export", "delete"}},
		{"account, deletion",
			pages.AccountDeletion(pages.AccountDeletionData{Locale: locale, CSRF: "token", Balance: 1234, Holds: 2, Held: 20,
				Awaiting: 1, Booked: true,
				Until: noon,
				Refunds: []pages.DeletionRefund{{Purchase: samplePurchase(), Withdraw: true,
					Offer: models.RefundOffer{Credits: 100, Cents: 500}}, {Purchase: samplePurchase(),
					Offer: models.RefundOffer{Credits: 50, Cents: 250}}},
				Errors: map[string]string{"sure": "Tick the box", "refund": "Choose", "": "Changed"}}),
			[]string{"lapses", "refund-yes", "refund-no", "refund-error", "deletion-error", "live-holds", "awaiting",
				"sure-error", "delete-account", "keep"}},
		{"account, deletion with a debt",
			pages.AccountDeletion(pages.AccountDeletionData{Locale: locale, Balance: -50, Booked: true, Until: noon,
				Prove: []pages.Linkable{{Name: "oidc", Label: "Demo",
					URL: "/auth/oidc?purpose=confirm"}}}), []string{"debt", "prove-oidc"}},
		{"account, deletion refused", pages.AccountDeletion(pages.AccountDeletionData{Locale: locale, Disputed: true}),
			[]string{"disputed", "keep"}},
		{"components", pages.Components(pages.ComponentsData{Locale: locale, Now: noon}),
			[]string{"question", "ask-question", "text-refused-error"}},
		{"history, empty", pages.History(pages.HistoryData{Locale: locale}), []string{"buy"}},
	}
	return append(append(all, returnSamples(locale)...), adminSamples(locale)...)
}

func returnSamples(locale string) []sample {
	var all []sample
	for _, kind := range []models.ReturnKind{models.ReturnProcessing, models.ReturnBooked, models.ReturnCanceled,
		models.ReturnWaiting, models.ReturnFailed, models.ReturnElsewhere} {
		all = append(all, sample{"billing, " + string(kind),
			billing(locale, &pages.ReturnState{Return: models.Return{Kind: kind, Purchase: samplePurchase()},
				PollURL: "/en/billing?success=true&poll=1"}), []string{"return-state"}})
	}
	review, bank := samplePurchase(), samplePurchase()
	review.Status, bank.Status = models.PurchaseReview, models.PurchaseAwaitingPayment
	for _, status := range models.PurchaseStatuses() {
		p := samplePurchase()
		p.Status, p.PaidAt = status, nil
		all = append(all, sample{"purchase " + string(status),
			pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: p}), nil})
	}
	p := samplePurchase()
	p.CreditsRefunded = 10
	back := pages.PurchaseDetailData{Locale: locale, Purchase: p, Entries: sampleEntries(), Receipt: true}
	for _, status := range models.RefundStatuses() {
		back.Refunds = append(back.Refunds, models.StripeRefund{RefundID: status, Amount: 500, Currency: "eur",
			Status: status, UpdatedAt: noon})
	}
	for _, status := range models.DisputeStatuses() {
		back.Disputes = append(back.Disputes, models.StripeDispute{DisputeID: status, Amount: 500, Currency: "eur",
			Status: status, UpdatedAt: noon})
	}
	unpaid := samplePurchase()
	unpaid.Status = models.PurchasePending
	expired := samplePurchase()
	expired.Status = models.PurchaseExpired
	withdrawal := models.Withdrawal{ID: buyID, Name: hostile, Email: "ada@example.com", Contract: hostile, Locale: locale,
		ReceivedAt: noon, PurchaseID: &buyID}
	closed, flood := withdrawal, withdrawal
	flood.ID, flood.Priority = uuid.Max, models.WithdrawalPriorityFlood
	closed.ID, closed.HandledAt, closed.UserID, closed.PurchaseID = uuid.Nil, &closed.ReceivedAt, new(int64), nil
	return append(all,
		sample{"withdrawal", pages.Withdrawal(locale, pages.WithdrawalForm{Key: "k", Contract: hostile, Mailed: true}),
			[]string{"confirm-withdrawal"}},
		sample{"withdrawal, refused", pages.Withdrawal(locale,
			pages.WithdrawalForm{Errors: map[string]string{"name": "a", "email": "b", "contract": "c"}}),
			[]string{"name-error", "email-error", "contract-error"}},
		sample{"withdrawal, received", pages.WithdrawalReceived(locale, withdrawal), []string{"received", "keep"}},
		sample{"purchase, to withdraw from",
			pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: samplePurchase(), Withdrawable: true}),
			[]string{"withdraw"}},
		sample{"purchase, to refund", pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: samplePurchase(),
			Offer: models.RefundOffer{Credits: 50, Cents: 250}}), []string{"ask-refund"}},
		sample{"purchase, refund", pages.PurchaseRefund(pages.PurchaseRefundData{Locale: locale, CSRF: "token", Key: "key",
			Purchase: samplePurchase(), Offer: models.RefundOffer{Credits: 50, Cents: 250}, Error: "a"}),
			[]string{"refund-unused", "refund-back"}},
		sample{"purchase, held", pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: samplePurchase(),
			Held: sampleHeld()}), []string{"ask-use-now"}},
		sample{"purchase, use now", pages.UseNow(pages.UseNowData{Locale: locale, CSRF: "token", Purchase: samplePurchase(),
			Held: sampleHeld(), Error: "a", Statements: pages.Statements{Compensation: true,
				Errors: map[string]string{"consent_early_start": "b"}}}), []string{"use-now", "use-now-back", "early-start-error"}},
		sample{"purchase, withdrawn",
			pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: samplePurchase(), Withdrawal: &withdrawal}),
			[]string{"withdrawal"}},
		sample{"withdrawals, none", pages.AdminWithdrawals(pages.AdminWithdrawalsData{Locale: locale}), nil},
		sample{"withdrawals",
			pages.AdminWithdrawals(pages.AdminWithdrawalsData{Locale: locale, CSRF: "token", Rows: []pages.AdminWithdrawal{
				{Mail: "mailto:ada@example.com?subject=x",
					ListedWithdrawal: models.ListedWithdrawal{Withdrawal: withdrawal, Declared: 1,
						Entitlement: &models.Entitlement{DueOn: noon, Cents: 300,
							Refunded: 100, Currency: "eur", Granted: 100, Used: 40, Unused: 60}}},
				{ListedWithdrawal: models.ListedWithdrawal{Withdrawal: flood, Declared: 1, Overdue: true,
					Entitlement: &models.Entitlement{DueOn: noon, Missing: models.AllMissing()}}},
				{ListedWithdrawal: models.ListedWithdrawal{Withdrawal: closed, Declared: 1},
					Mail: "mailto:ada@example.com"}}}), []string{"close-" + buyID.String()}},
		sample{"withdrawals, a flood",
			pages.AdminWithdrawals(pages.AdminWithdrawalsData{Locale: locale, CSRF: "token", Next: "false.2.1.x", Further: true,
				Rows: []pages.AdminWithdrawal{
					{ListedWithdrawal: models.ListedWithdrawal{Withdrawal: flood, Declared: 400},
						Mail: "mailto:ada@example.com"}}}), []string{"close-" + uuid.Max.String(), "next-page", "first-page"}},
		sample{"error, a form too soon",
			pages.Error(pages.ErrorData{Code: fault.RateLimited, Message: "What happened",
				Resend: &pages.Resend{Action: "/de/purchase",
					Fields: []pages.ResendField{{Name: "_csrf", Value: "token"},
						{Name: "quantity", Value: hostile}}}}), []string{"error-resend"}},
		sample{"admin, a withdrawal waits", pages.Admin(pages.AdminData{Locale: locale, OpenWithdrawals: 1}),
			[]string{"open-withdrawals"}},
		sample{"purchase, money back", pages.PurchaseDetail(back), []string{"standing", "receipt"}},
		sample{"purchase, to be paid",
			pages.PurchaseDetail(pages.PurchaseDetailData{Locale: locale, Purchase: unpaid,
				PayURL: "https://checkout.stripe.com/c/pay/1"}), []string{"pay"}},
		sample{"billing, to be paid",
			billing(locale,
				&pages.ReturnState{Return: models.Return{Kind: models.ReturnCanceled,
					PayURL: "https://checkout.stripe.com/c/pay/1"}}), []string{"resume"}},
		sample{"billing, expired",
			billing(locale, &pages.ReturnState{Return: models.Return{Kind: models.ReturnFailed, Purchase: expired}}),
			[]string{"return-state"}},
		sample{"error, to be tried again",
			pages.Error(pages.ErrorData{Code: fault.Unavailable, Message: "What happened", RequestID: "req_example",
				Retry: "/de/purchase/1/receipt"}), []string{"error-retry"}},
		sample{"billing, being checked", billing(locale,
			&pages.ReturnState{Return: models.Return{Kind: models.ReturnFailed, Purchase: review}}), []string{"return-state"}},
		sample{"billing, bank",
			billing(locale, &pages.ReturnState{Return: models.Return{Kind: models.ReturnWaiting, Purchase: bank}}),
			[]string{"return-state"}})
}
