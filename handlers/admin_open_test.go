package handlers

import (
	"fmt"
	"strings"
	"testing"
)

// The page of a user begins with a sentence for each thing that is open, and names people.
func TestUserPageSaysWhatIsOpen(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss, page := f.member(f.users["admin"]), fmt.Sprintf("/de/admin/users/%d", f.users["owner"])
	exec := func(statement string) {
		t.Helper()
		if err := f.db.Exec(statement, f.users["owner"]).Error; err != nil {
			t.Fatal(err)
		}
	}
	_, doc := boss.open(fmt.Sprintf("/de/admin/users/%d", f.users["other"]))
	if text := doc.Find("#open").Text(); !strings.Contains(text, "Nichts ist offen.") {
		t.Errorf("page of a user with nothing open says %q, want that", text)
	}
	exec(`UPDATE purchases SET payment_intent_id = 'pi_open' WHERE user_id = ?`)
	for _, c := range []struct{ statement, want, anchor string }{
		{`SELECT ?::integer`, "Widerruf offen, fällig am ", "/admin/withdrawals"},
		{`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, next_attempt_at)
			SELECT gen_random_uuid(), id, 'k', 250, 'x', now() FROM purchases WHERE user_id = ?`,
			"Erstattung von 2,50 €: seit", "#requests"},
		{`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status)
			SELECT 're_9', 'pi_open', 350, 'eur', 'pending' WHERE ? > 0`, "Erstattung von 3,50 €: seit", "#refunds"},
		{`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status, due_by)
			SELECT 'du_9', 'pi_open', 450, 'eur', 'needs_response', '2026-12-12' WHERE ? > 0`,
			"Zahlungsanfechtung über 4,50 €: Stripe nimmt bis 12.12.2026 eine Antwort an.", "#disputes"},
		{`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, created_at)
			SELECT gen_random_uuid(), ?, 1, 100, 550, 'eur', 'de', 'bank', 'awaiting_payment', '2026-11-28 12:00Z'`,
			"5,50 €: wartet seit 28.11.2026 auf die Bank, spätestens bis 12.12.2026.", "#story"},
		{`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, paid_cents, paid_at)
			SELECT gen_random_uuid(), ?, 1, 100, 650, 'eur', 'de', 'review', 'review', 650, '2026-11-28 12:00Z'`,
			"6,50 €: bezahlt am 28.11.2026, noch nicht entschieden.", "#decide"},
	} {
		exec(c.statement)
		_, doc := boss.open(page)
		found := false
		for _, line := range doc.Find("#open [data-open]").EachIter() {
			text := strings.ReplaceAll(strings.ReplaceAll(line.Text(), "\u00a0", " "), "\u202f", " ")
			found = found || strings.Contains(text, c.want) && strings.HasSuffix(line.Find("a").AttrOr("href", ""), c.anchor)
		}
		if !found {
			t.Errorf("open: %q, want a line %q that leads to %s", doc.Find("#open").Text(), c.want, c.anchor)
		}
	}
	if err := f.db.Exec(`UPDATE users SET name = 'Grace' WHERE id = ?`, f.users["admin"]).Error; err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO audit_log (actor, actor_id, action, user_id, detail)
		SELECT 'admin', u.id, 'purchase.refund', ?, jsonb_build_object('purchase_id', p.id)
		FROM users u, purchases p WHERE u.name = 'Grace' AND p.number = 1001`)
	_, doc = boss.open("/de/admin/audit")
	row := doc.Find("table tbody tr").First().Text()
	if !strings.Contains(row, "Grace") || !strings.Contains(row, "Test User") || !strings.Contains(row, "RM-1001") {
		t.Errorf("audit entry says %q, want the names Grace and Test User, and RM-1001", row)
	}
}
