package models_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const entry = `INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta) VALUES `

// brokenRules are the rules, the constraints that keep them, and a statement that breaks each.
var brokenRules = []struct{ rule, constraint, statement string }{
	{"there is one installation", "installations_pkey", `INSERT INTO installations DEFAULT VALUES`},
	{"a foreign object has an id", "foreign_objects_object_id_not_blank",
		`INSERT INTO foreign_objects (object_id, kind) VALUES ('', 'session')`},
	{"a foreign object is of a kind", "foreign_objects_kind_known",
		`INSERT INTO foreign_objects (object_id, kind) VALUES ('x', 'shoe')`},
	{"a customer that we did not make is not used", "users_stripe_customer_made_by_us",
		`UPDATE users SET stripe_customer_id = 'cus_theirs' WHERE id = 1`},
	{"a withdrawal of a purchase has its buyer", "withdrawals_purchase_has_user",
		`INSERT INTO withdrawals (id, idempotency_key, purchase_id, name, email, contract, locale)
		VALUES (gen_random_uuid(), 'k', '00000000-0000-7000-8000-000000000001', 'n', 'e', 'c', 'de')`},
	{"a withdrawal with a handler has a time", "withdrawals_handled_by_somebody",
		`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, handled_by)
		VALUES (gen_random_uuid(), 'k', 'n', 'e', 'c', 'de', 1)`},
	{"an entry is never 0", "credit_transactions_delta_not_zero", entry + `(1, 0, 'manual', NULL, '{}')`},
	{"a reason is known", "credit_transactions_reason_known", entry + `(1, -1, 'present', NULL, '{}')`},
	{"a purchase gives", "credit_transactions_sign", entry + `(1, -1, 'purchase', NULL, '{}')`},
	{"a feature takes", "credit_transactions_sign", entry + `(1, 10, 'resume_analysis', NULL, '{}')`},
	{"one row per Stripe event", "credit_transactions_stripe_event_id_key", entry + `(1, 5, 'manual', 'evt_1', '{}')`},
	{"one grant per purchase", "credit_transactions_one_grant_per_purchase",
		entry + `(1, 5, 'purchase', 'evt_2', '{"purchase_id": "p1"}')`},
	{"one row per idempotency key", "credit_transactions_idempotency_key",
		entry + `(1, 5, 'manual', NULL, '{"idempotency_key": "k1"}')`},
	{"an entry has a user", "credit_transactions_user_id_fkey", entry + `(99, 5, 'manual', NULL, '{}')`},
	{"entries are never changed", "credit_transactions_append_only", `UPDATE credit_transactions SET delta_credits = 1`},
	{"entries are never deleted", "credit_transactions_append_only", `DELETE FROM credit_transactions`},
	{"entries are never truncated", "credit_transactions_append_only", `TRUNCATE credit_transactions`},
	{"entries come in order", "credit_transactions_in_order",
		`INSERT INTO credit_transactions (id, user_id, delta_credits, reason) VALUES (0, 1, 5, 'manual')`},
	{"no entry without the balance", "users_balance_equals_ledger", entry + `(1, 5, 'manual', NULL, '{}')`},
	{"no balance without an entry", "users_balance_equals_ledger", `UPDATE users SET credits_balance = 777`},
	{"a new user has no credits", "users_balance_equals_ledger",
		`INSERT INTO users (email, credits_balance) VALUES ('eve@example.com', 5)`},
	{"held is never negative", "users_credits_held_not_negative", `UPDATE users SET credits_held = -1`},
	{"an address is one account's", "users_email_key", `INSERT INTO users (email) VALUES ('ada@example.com')`},
	{"an address is one account's in any case", "users_email_key",
		`INSERT INTO users (email) VALUES ('ADA@Example.com')`},
	{"an address is composed", "users_email_canonical", `UPDATE users SET email = E'jo\u0308rg@example.com'`},
	{"an address has its domain in Unicode", "users_email_canonical",
		`INSERT INTO users (email) VALUES ('ada@www.xn--bcher-kva.example')`},
	{"an address has no dot at its end", "users_email_canonical",
		`INSERT INTO users (email) VALUES ('eve@example.com.')`},
	{"an address has no spaces", "users_email_canonical", `INSERT INTO users (email) VALUES (' eve@example.com')`},
	{"an address has no letter that becomes ASCII", "users_email_canonical",
		`INSERT INTO users (email) VALUES (E'\u212Aarla@example.com')`},
	{"a provider's address is canonical", "identities_email_canonical",
		`INSERT INTO identities (issuer, subject, user_id, provider, email)
		VALUES ('i', 's', 1, 'oidc', 'eve@example.com.')`},
	{"an account with an identity has a verified address", "users_email_verified",
		`INSERT INTO identities (issuer, subject, user_id, provider, email)
		VALUES ('i', 's', 1, 'oidc', 'ada@example.com')`},
	{"an address stays with the user who verified it", "users_email_verified", `DO $$ BEGIN
		INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) VALUES ('i', 's', 1, 'oidc', 'ada@example.com', true);
		UPDATE users SET email = 'eve@example.com'; END $$`},
	{"a merged account has no address", "users_merged_is_nobody",
		`INSERT INTO users (email, merged_into) VALUES ('eve@example.com', 1)`},
	{"moved credits come from somewhere", "credit_transactions_counterparts_agree", `DO $$ BEGIN
		INSERT INTO credit_transactions (user_id, delta_credits, reason, meta) VALUES (1, 5, 'manual', '{"counterpart": 1}');
		UPDATE users SET credits_balance = credits_balance + 5; END $$`},
	{"an address is not blank", "users_email_not_blank", `INSERT INTO users (email) VALUES ('')`},
	{"a user with entries stays", "credit_transactions_user_id_fkey", `DELETE FROM users WHERE id = 1`},
	{"a quantity is 1 to 100", "purchases_quantity_in_range", `UPDATE purchases SET quantity = 101`},
	{"a grant equals the bought credits", "purchases_granted_only_when_paid",
		`UPDATE purchases SET credits_granted = 499, paid_at = now()`},
	{"a grant needs a payment", "purchases_granted_only_when_paid", `UPDATE purchases SET credits_granted = 500`},
	{"refunded credits never exceed granted credits", "purchases_taken_back_at_most_granted",
		`UPDATE purchases SET credits_refunded = 501`},
	{"a price holds credits", "prices_credits_in_range", `UPDATE prices SET credits_per_unit = 0`},
	{"a spend never exceeds the balance", "credit_transactions_covered", entry + `(1, -501, 'manual', NULL, '{}')`},
	{"a feature's name is not a fixed word", "feature_prices_feature_named",
		`INSERT INTO feature_prices (feature, credits) VALUES ('manual', 1)`},
	{"a feature stays", "feature_prices_kept", `DELETE FROM feature_prices`},
	{"a feature keeps its name", "feature_prices_kept",
		`UPDATE feature_prices SET feature = 'other' WHERE feature = 'job_match'`},
	{"a hold is of a known feature", "holds_feature_known", `INSERT INTO holds (id, user_id, feature, credits, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000003', 1, 'free_lunch', 1, now())`},
	{"a hold is of a known key", "holds_api_key_known",
		`INSERT INTO holds (id, user_id, api_key_id, feature, credits, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000003', 1, '00000000-0000-7000-8000-000000000004', 'job_match', 1, now())`},
	{"no hold without held credits", "users_held_equals_holds",
		`INSERT INTO holds (id, user_id, feature, credits, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000003', 1, 'job_match', 5, now())`},
	{"no held credits without a hold", "users_held_equals_holds", `UPDATE users SET credits_held = 5`},
	{"a hold ends once", "holds_end_once", `UPDATE holds SET status = 'released'`},
	{"a captured hold has an entry", "holds_captured_has_line",
		`INSERT INTO holds (id, user_id, feature, credits, captured, status, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000003', 1, 'job_match', 5, 5, 'captured', now())`},
	{"one open hold of an exclusive text", "holds_exclusive_key",
		`INSERT INTO holds (id, user_id, feature, credits, expires_at, exclusive)
		VALUES (gen_random_uuid(), 1, 'job_match', 5, now(), 'x'), (gen_random_uuid(), 1, 'job_match', 5, now(), 'x')`},
	{"an exclusive text is short", "holds_exclusive_short",
		`INSERT INTO holds (id, user_id, feature, credits, expires_at, exclusive)
		VALUES (gen_random_uuid(), 1, 'job_match', 5, now(), repeat('x', 201))`},
	{"a hold is positive", "holds_credits_positive", `INSERT INTO holds (id, user_id, feature, credits, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000002', 1, 'job_match', 0, now())`},
	{"a user has one tenant id", "gate_users_pkey",
		`INSERT INTO gate_users VALUES (1, repeat('a', 26)), (1, repeat('b', 26))`},
	{"a tenant id is one user's", "gate_users_tenant_id_key",
		`WITH eve AS (INSERT INTO users (email) VALUES ('eve@example.com') RETURNING id)
		INSERT INTO gate_users SELECT id, repeat('a', 26) FROM (SELECT 1 AS id UNION ALL SELECT id FROM eve) pair`},
	{"a tenant id is letters and digits", "gate_users_tenant_id_form",
		`INSERT INTO gate_users VALUES (1, '../' || repeat('a', 23))`},
	{"a pass has a hold", "gate_passes_hold_id_fkey", `INSERT INTO gate_passes (hold_id, name, subject_hash, uses, expires_at)
		VALUES (gen_random_uuid(), 'confirm', sha256(''), 3, now())`},
	{"a pass is used as often as it allows", "gate_passes_used_in_range",
		`INSERT INTO gate_passes (hold_id, name, subject_hash, uses, used, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000005', 'confirm', sha256(''), 3, 4, now())`},
	{"a pass hides its subject", "gate_passes_subject_hash_sha256",
		`INSERT INTO gate_passes (hold_id, name, subject_hash, uses, expires_at)
		VALUES ('00000000-0000-7000-8000-000000000005', 'confirm', 'job 7', 3, now())`},
	{"a service key stays", "api_keys_stay", `DELETE FROM api_keys`},
	{"a revoked key stays revoked", "api_keys_stay", `UPDATE api_keys SET revoked_at = NULL`},
	{"a key calls a million times at most", "api_keys_per_minute_in_range", `UPDATE api_keys SET per_minute = 1000001`},
	{"a key has a short name", "api_keys_name_length", `UPDATE api_keys SET name = repeat('ä', 81)`},
	{"one key per form", "api_keys_idempotency_key_key",
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes, created_by, idempotency_key)
		VALUES ('00000000-0000-7000-8000-000000000004', 'test', 'rmc_00000000', sha256('other'), '{read}', 1, 'form')`},
	{"a lease gives something", "rate_windows_granted_in_range",
		`INSERT INTO rate_windows VALUES ('key:1', now(), 1, 2)`},
	{"a deleted account has no address", "users_deleted_is_nobody",
		`UPDATE users SET deleted_at = now(), delete_after = current_date`},
	{"a deleted account stays deleted", "users_deletion_is_final", `DO $$ BEGIN
		UPDATE users SET email = NULL, deleted_at = now(), delete_after = '2000-01-01'; UPDATE users SET deleted_at = NULL, delete_after = NULL; END $$`},
	{"a deleted account says how long it is kept", "users_deleted_says_until",
		`UPDATE users SET email = NULL, deleted_at = now()`},
	{"only a deleted account is erased", "users_erased_is_deleted", `UPDATE users SET erased_at = now()`},
	{"entries of a deleted account are never deleted", "credit_transactions_append_only",
		`DO $$ BEGIN UPDATE users SET email = NULL, deleted_at = now(), delete_after = '2000-01-01'; DELETE FROM credit_transactions; END $$`},
	{"the audit log is never changed", "audit_log_append_only", `UPDATE audit_log SET action = 'other'`},
	{"the audit log is never truncated", "audit_log_append_only", `TRUNCATE audit_log`},
}

// Each statement breaks one rule as the application's own role. The database must refuse it by the constraint's name.
func TestDatabaseKeepsTheRules(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	seed := []string{
		`INSERT INTO users (email) VALUES ('ada@example.com')`,
		`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 500, 2000)`,
		`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
			VALUES ('00000000-0000-7000-8000-000000000001', 1, 'price_1', 1, 500, 2000, 'eur', 'en', 'k')`,
		`INSERT INTO audit_log (actor, action) VALUES ('system', 'test')`,
		`INSERT INTO stripe_customers (customer_id, user_id, livemode, created_by_us) VALUES ('cus_theirs', 1, false, false)`,
		`INSERT INTO holds (id, user_id, feature, credits, status, expires_at) VALUES ('00000000-0000-7000-8000-000000000005', 1, 'job_match', 5, 'expired', now())`,
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes, created_by, idempotency_key, revoked_at)
			VALUES ('00000000-0000-7000-8000-000000000003', 'test', 'rmc_00000000', sha256('test'), '{spend}', 1, 'form', now())`,
	}
	for _, statement := range seed {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatalf("seed: %v", err)
		}
	}
	book := func(tx *gorm.DB) error {
		return errors.Join(
			tx.Exec(`INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
				VALUES (1, 500, 'purchase', 'evt_1', '{"purchase_id": "p1", "idempotency_key": "k1"}')`).Error,
			tx.Exec(`UPDATE users SET credits_balance = credits_balance + 500 WHERE id = 1`).Error)
	}
	if err := db.Transaction(book); err != nil {
		t.Fatalf("a proper booking was refused: %v", err)
	}
	pool, err := db.DB() // without GORM, which translates errors and loses the rule's name
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range brokenRules {
		t.Run(c.rule, func(t *testing.T) {
			err := execute(pool, c.statement)
			var refusal *pgconn.PgError
			if !errors.As(err, &refusal) {
				t.Fatalf("%s: got error %v, want a refusal by %s", c.statement, err, c.constraint)
			}
			if refusal.ConstraintName != c.constraint {
				t.Errorf("refused by %q (%s), want %q", refusal.ConstraintName, refusal.Message, c.constraint)
			}
		})
	}
}

func execute(pool *sql.DB, statement string) error {
	_, err := pool.Exec(statement)
	return err
}
