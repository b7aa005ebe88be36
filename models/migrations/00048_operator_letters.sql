-- +goose Up
-- Until when Stripe takes an answer to a dispute; NULL if it has not said so.
ALTER TABLE stripe_disputes ADD COLUMN due_by timestamptz;

-- Letters to the operator. Triggers store them, so that no writer of these tables can forget one. A letter without user
-- and recipient goes to ADMIN_EMAILS; the worker knows their language.
CREATE FUNCTION operator_letter(text, text, jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO letters (id, kind, key, locale, args) VALUES (gen_random_uuid(), $1, $2, 'en', $3)
        ON CONFLICT ON CONSTRAINT letters_kind_key DO NOTHING
$$;

-- +goose StatementBegin
CREATE FUNCTION letter_purchase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM operator_letter('operator_purchase', NEW.id::text, jsonb_build_object('id', NEW.id, 'cause', NEW.cause,
        'session', NEW.checkout_session_id));
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER purchases_letters_insert AFTER INSERT ON purchases
    FOR EACH ROW WHEN (NEW.status = 'review') EXECUTE FUNCTION letter_purchase();
CREATE TRIGGER purchases_letters_update AFTER UPDATE OF status ON purchases
    FOR EACH ROW WHEN (NEW.status = 'review' AND OLD.status <> 'review') EXECUTE FUNCTION letter_purchase();

-- An event that is decided with its purchase has that purchase's letter. The letters tell, not the purchases: an event
-- also goes to review when those cannot be read.
-- +goose StatementBegin
CREATE FUNCTION letter_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM letters WHERE kind = 'operator_purchase' AND args ->> 'session' = NEW.object_id) THEN
        PERFORM operator_letter('operator_event', NEW.event_id, jsonb_build_object('id', NEW.event_id, 'cause', NEW.last_error));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER stripe_events_letters AFTER UPDATE OF status ON stripe_events
    FOR EACH ROW WHEN (NEW.status = 'review' AND OLD.status <> 'review') EXECUTE FUNCTION letter_event();

-- +goose StatementBegin
CREATE FUNCTION letter_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM operator_letter('operator_dispute', NEW.dispute_id, jsonb_build_object('id', NEW.dispute_id, 'purchase_id', p.id,
        'cents', NEW.amount, 'currency', NEW.currency, 'due_by', NEW.due_by))
        FROM purchases p WHERE p.payment_intent_id = NEW.payment_ref AND p.status <> 'foreign';
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER stripe_disputes_letters AFTER INSERT ON stripe_disputes
    FOR EACH ROW WHEN (NEW.status IN ('needs_response', 'warning_needs_response')) EXECUTE FUNCTION letter_dispute();

-- +goose StatementBegin
CREATE FUNCTION letter_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM operator_letter('operator_withdrawal', NEW.id::text, jsonb_build_object('id', NEW.id, 'received_at', NEW.received_at));
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER withdrawals_letters AFTER INSERT ON withdrawals
    FOR EACH ROW WHEN (NEW.priority < 2) EXECUTE FUNCTION letter_withdrawal(); -- 2 is one of a flood

-- +goose StatementBegin
CREATE FUNCTION letter_reconciliation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM operator_letter('operator_findings', NEW.id::text, jsonb_build_object('findings', count(*),
        'review', count(*) FILTER (WHERE f.kind = 'review'), 'finished_at', NEW.finished_at))
        FROM reconciliation_findings f WHERE f.reconciliation_id = NEW.id HAVING count(*) > 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER reconciliations_letters AFTER UPDATE OF finished_at ON reconciliations
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION letter_reconciliation();

-- +goose Down
DROP TRIGGER reconciliations_letters ON reconciliations;
DROP TRIGGER withdrawals_letters ON withdrawals;
DROP TRIGGER stripe_disputes_letters ON stripe_disputes;
DROP TRIGGER stripe_events_letters ON stripe_events;
DROP TRIGGER purchases_letters_update ON purchases;
DROP TRIGGER purchases_letters_insert ON purchases;
DROP FUNCTION letter_reconciliation(), letter_withdrawal(), letter_dispute(), letter_event(), letter_purchase(),
    operator_letter(text, text, jsonb);
ALTER TABLE stripe_disputes DROP COLUMN due_by;
