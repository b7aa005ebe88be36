-- Users in every state that a page distinguishes. Each has signed in, with the address before the @ as below.
CREATE FUNCTION pg_temp.who(handle text) RETURNS integer LANGUAGE sql AS $$ SELECT id FROM users WHERE email = handle || '@example.com' $$;

INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, checkout_session_id,
    payment_intent_id, paid_cents, paid_at, credits_granted, credits_refunded, credits_disputed, created_at)
SELECT gen_random_uuid(), pg_temp.who(who), (SELECT stripe_price_id FROM prices WHERE credits_per_unit = 500), quantity, 500 * quantity, 2000 * quantity, 'eur', 'de', key, status,
    'cs_state_' || key, CASE WHEN status IN ('paid', 'review', 'returned', 'foreign') THEN 'pi_state_' || key END,
    CASE WHEN status IN ('paid', 'review', 'returned', 'foreign') THEN 2000 * quantity ELSE 0 END,
    CASE WHEN status IN ('paid', 'review', 'returned', 'foreign') THEN moment END, CASE WHEN status = 'paid' THEN 500 * quantity ELSE 0 END, refunded, disputed, moment
FROM (VALUES
    ('debt', 'owed', 'paid', 1, 500, 0, now() - interval '3 days'),
    ('buyer', 'pending', 'pending', 1, 0, 0, now() - interval '1 minute'),
    ('buyer', 'awaiting', 'awaiting_payment', 1, 0, 0, now() - interval '1 day'),
    ('buyer', 'failed', 'failed', 2, 0, 0, now() - interval '2 days'),
    ('buyer', 'expired', 'expired', 1, 0, 0, now() - interval '3 days'),
    ('buyer', 'review', 'review', 1, 0, 0, now() - interval '4 days'),
    ('buyer', 'unknown', 'review', 1, 0, 0, now() - interval '80 days'),
    ('buyer', 'back', 'returned', 1, 0, 0, now() - interval '90 days'),
    ('buyer', 'foreign', 'foreign', 1, 0, 0, now() - interval '100 days'),
    ('buyer', 'paid', 'paid', 100, 0, 0, now() - interval '5 days'),
    ('buyer', 'kept', 'paid', 1, 0, 0, now() - interval '45 days'),
    ('buyer', 'partly', 'paid', 1, 250, 0, now() - interval '6 days'),
    ('buyer', 'returned', 'paid', 1, 500, 0, now() - interval '40 days'),
    ('buyer', 'disputed', 'paid', 1, 0, 500, now() - interval '50 days'),
    ('buyer', 'won', 'paid', 1, 0, 0, now() - interval '60 days'),
    ('buyer', 'lost', 'paid', 1, 0, 500, now() - interval '70 days'),
    ('debt', 'moved', 'paid', 1, 0, 0, now() - interval '4 days'),
    ('disputer', 'open', 'paid', 1, 0, 500, now() - interval '7 days'),
    ('second', 'withdrawn', 'paid', 1, 0, 0, now() - interval '1 day'),
    ('holder', 'held', 'paid', 1, 0, 0, now() - interval '1 day')
) p (who, key, status, quantity, refunded, disputed, moment);

UPDATE purchases SET cause = 'amount_differs' WHERE checkout_session_id IN ('cs_state_review', 'cs_state_foreign', 'cs_state_back');
UPDATE purchases SET cause = 'session_unknown', stripe_price_id = NULL, credits = 0, amount_cents = 1500 WHERE checkout_session_id = 'cs_state_unknown';
INSERT INTO stripe_events (event_id, type, livemode, object_id, payment_ref, payload, status, attempts, last_error, created_at_stripe) VALUES
    ('evt_state_waits', 'charge.refunded', false, 'ch_state_elsewhere', 'pi_state_elsewhere', '{}', 'review', 6, 'awaits_purchase', 1800000000),
    ('evt_state_dispute', 'charge.dispute.created', false, 'dp_state_foreign_money', 'pi_state_won', '{}', 'review', 1, 'dispute_currency', 1800000000);

INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, created_at, balance_after)
SELECT user_id, delta, reason, jsonb_build_object('purchase_id', id), least(moment, now()), 0 FROM (
    SELECT *, paid_at AS moment, credits_granted AS delta, 'purchase' AS reason FROM purchases WHERE checkout_session_id LIKE 'cs\_state\_%' AND status = 'paid'
    UNION ALL SELECT *, paid_at + interval '1 hour', -credits_refunded, 'refund' FROM purchases WHERE checkout_session_id LIKE 'cs\_state\_%' AND credits_refunded > 0
    UNION ALL SELECT *, paid_at + interval '1 hour', -credits_disputed, 'dispute' FROM purchases WHERE checkout_session_id LIKE 'cs\_state\_%' AND credits_disputed > 0
) moved WHERE idempotency_key <> 'owed' ORDER BY moment;

INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, created_at, balance_after)
SELECT pg_temp.who(who), delta, reason, meta::jsonb || CASE WHEN who = 'debt' AND reason IN ('purchase', 'refund')
    THEN jsonb_build_object('purchase_id', (SELECT id FROM purchases WHERE idempotency_key = 'owed')) ELSE '{}' END, now() - since, 0
FROM (VALUES
    (1, 'low', 100, 'manual', '{"note": "Willkommen"}', interval '2 days'),
    (2, 'low', -93, 'resume_analysis', '{}', interval '1 day'),
    (3, 'debt', 500, 'purchase', '{}', interval '3 days'),
    (4, 'debt', -400, 'resume_improvement', '{}', interval '2 days'),
    (5, 'debt', -500, 'refund', '{}', interval '1 day'),
    (6, 'rich', 9876543, 'manual', '{"note": "Ein sehr langer Grund ohne jede Leerstelle: Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverleihungsurkunde, <b>fett</b> und \u202eאבג"}', interval '20 days'),
    (7, 'rich', -1234567, 'resume_improvement', '{}', interval '10 days'),
    (8, 'rich', -1000000, 'job_match', '{}', interval '1 day'),
    (9, 'holder', 100, 'manual', '{"note": "Probe"}', interval '2 days')
) l (n, who, delta, reason, meta, since) ORDER BY n;
INSERT INTO credit_transactions (user_id, delta_credits, reason, created_at, balance_after)
SELECT pg_temp.who('rich'), -5, 'job_match', now() - interval '1 hour', 0 FROM generate_series(1, 120);

INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, balance_after)
SELECT pg_temp.who(who), delta, 'manual', jsonb_build_object('purchase_id', p.id, 'counterpart', pg_temp.who(other), 'actor', 'user:1', 'note', 'Probe'), 0
FROM purchases p, (VALUES ('debt', 'second', -500), ('second', 'debt', 500)) m (who, other, delta) WHERE p.idempotency_key = 'moved';
UPDATE purchases SET user_id = pg_temp.who('second') WHERE idempotency_key = 'moved';
INSERT INTO users (name, merged_into) VALUES ('', pg_temp.who('second'));
INSERT INTO users (email) VALUES (E'b\u043ess@example.com');

INSERT INTO holds (id, user_id, feature, credits, status, expires_at, created_at)
SELECT gen_random_uuid(), pg_temp.who('holder'), feature, credits, status, now() + lasts, now() - interval '1 hour'
FROM (VALUES ('resume_improvement', 15, 'open', interval '1 hour'), ('resume_analysis', 10, 'released', interval '1 hour'), ('job_match', 5, 'expired', interval '-1 minute')) h (feature, credits, status, lasts);
UPDATE purchases SET holds_credits = true WHERE idempotency_key IN ('held', 'awaiting');
INSERT INTO holds (id, user_id, feature, credits, exclusive, expires_at, created_at)
SELECT gen_random_uuid(), user_id, 'withdrawal_period', credits, id::text, now() + interval '13 days', created_at FROM purchases WHERE idempotency_key = 'held';
UPDATE users u SET credits_balance = coalesce((SELECT sum(delta_credits) FROM credit_transactions c WHERE c.user_id = u.id), 0),
    credits_held = coalesce((SELECT sum(credits) FROM holds h WHERE h.user_id = u.id AND status = 'open'), 0) WHERE email NOT LIKE 'user%';

INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status, failure_reason) SELECT 're_state_' || key || says, payment_intent_id, cents, 'eur', says, reason
FROM (VALUES ('owed', 2000, 'succeeded', ''), ('partly', 1000, 'succeeded', ''), ('partly', 500, 'failed', 'expired_or_canceled_card'), ('returned', 2000, 'succeeded', ''), ('partly', 200, 'pending', '')) r (key, cents, says, reason)
JOIN purchases ON idempotency_key = key;
INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) SELECT 'dp_state_' || idempotency_key, payment_intent_id, 2000, 'eur', says
FROM (VALUES ('disputed', 'needs_response'), ('won', 'won'), ('lost', 'lost'), ('open', 'under_review')) d (key, says) JOIN purchases ON idempotency_key = key;
INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) VALUES ('dp_state_foreign_money', 'pi_state_won', 1000, 'usd', 'warning_needs_response');
INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, actor_id, note, status, last_error, next_attempt_at)
SELECT gen_random_uuid(), id, says, 100, NULL, 'Kulanz', says, CASE says WHEN 'refused' THEN 'stripe_refused balance_insufficient' ELSE 'no_answer' END, now() + interval '1 hour'
FROM purchases, unnest(ARRAY['pending', 'refused']) says WHERE purchases.idempotency_key = 'partly';
INSERT INTO withdrawals (id, idempotency_key, user_id, purchase_id, name, email, contract, locale, handled_at, used_credits)
SELECT gen_random_uuid(), key, user_id, id, 'Ada Example', 'second@example.com', '500 Credits', 'de', NULL, 0 FROM (VALUES ('withdrawn')) w (key) JOIN purchases ON purchases.idempotency_key = key;
INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, handled_at) SELECT gen_random_uuid(), 'stranger' || n, repeat('Wolfeschlegelsteinhausen', 8), 'a.very.long.address.of.somebody.who.is.not.known.here@example.com',
    '1200 Credits' || repeat('!', 300), 'en', CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, 3) n;
INSERT INTO api_keys (id, name, prefix, key_hash, scopes, revoked_at, last_used_at) SELECT gen_random_uuid(), name, 'rmc_0000000' || n, sha256(name::bytea), ARRAY['spend', 'read'], revoked, used
FROM (VALUES (1, repeat('Schluessel', 8), NULL, now()), (2, 'Bob', now(), NULL)) k (n, name, revoked, used);
INSERT INTO webhook_endpoints (id, url, events, low_threshold, created_at, disabled_at, disabled_cause)
SELECT gen_random_uuid(), url, events, 50, now() - interval '1 day', disabled, cause FROM (VALUES
    ('https://webhooks.example.com/' || repeat('endpoint', 20), ARRAY['purchase.in_review', 'credits.low'], NULL, ''), ('https://example.com/gone', ARRAY['credits.low'], now(), 'gone'))
    e (url, events, disabled, cause);
INSERT INTO webhook_deliveries (endpoint_id, type, status, attempts, due_at, response, failure, tried_at)
SELECT e.id, type, status, attempts, now() + interval '1 hour', response, failure, now() FROM webhook_endpoints e, (VALUES
    ('webhook.test', 'delivered', 1, 204, ''), ('credits.low', 'pending', 3, 0, 'timeout'), ('purchase.in_review', 'failed', 10, 500, 'status')) d (type, status, attempts, response, failure)
WHERE disabled_at IS NULL;
INSERT INTO letters (id, kind, key, user_id, recipient, locale, status, attempts, next_attempt_at, last_error, created_at)
SELECT gen_random_uuid(), kind, 'state', pg_temp.who(who), recipient, 'de', status, attempts, now() + interval '5 hours', cause, now() - interval '2 days' FROM (VALUES
    ('refunded', 'rich', '', 'failed', 1, 'mail_address 550'), ('disputed', 'long', '', 'waiting', 9, 'mail_away'),
    ('withdrawal_received', 'nobody', repeat('a.very.long.address', 8) || '@example.com', 'failed', 14, 'mail_refused 451')) l (kind, who, recipient, status, attempts, cause);
INSERT INTO letters (id, kind, key, user_id, locale, status, sent_at) SELECT gen_random_uuid(), 'low_balance', key, pg_temp.who(who), 'de', 'sent', now()
FROM (VALUES ('reminder', 'low'), ('stopped', 'rich')) l (key, who);
INSERT INTO letter_refusals (user_id, kind) VALUES (pg_temp.who('rich'), 'low_balance');
INSERT INTO bounces (user_id, email, cause) SELECT id, email, 'mail_address 550' FROM users WHERE email = 'debt@example.com';
INSERT INTO reconciliations (since, step, checked, finished_at, last_error) VALUES (now() - interval '3 days', 'balances', 1234, now(), '');
INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, purchase_id, user_id, credits, note)
SELECT (SELECT max(id) FROM reconciliations), kind, 'cs_state_paid' || kind, (SELECT id FROM purchases WHERE idempotency_key = 'paid'), pg_temp.who('buyer'), 500,
    CASE WHEN kind = 'review' THEN 'refund_status odd' ELSE '' END
FROM unnest(ARRAY['purchase', 'refund', 'dispute', 'balance', 'review']) kind;
INSERT INTO users (name, locale, deleted_at, delete_after) VALUES ('', '', now(), (now() + interval '8 years')::date);

INSERT INTO refused_identities (issuer, subject, user_id, provider, email, created_at) VALUES ('https://id.example.org', 'state-refused', pg_temp.who('debt'), 'oidc', 'debt@example.com', now() - interval '2 days');
INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name) VALUES ('https://id.example.org', 'state-right', pg_temp.who('debt'), 'oidc', 'admin@example.com', true, 'Ada Example');

-- The resumes of a deleted account, which Resume Matcher still has.
INSERT INTO gate_users (user_id, tenant_id, deletion_due_at, deletion_attempts, deletion_cause)
    SELECT id, repeat('d', 26), now() + interval '1 day', 12, 'resumes_away' FROM users
    WHERE deleted_at IS NOT NULL AND merged_into IS NULL AND email IS NULL ORDER BY id LIMIT 1;
