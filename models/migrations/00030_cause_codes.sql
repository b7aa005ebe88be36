-- Why an event, a finding or a purchase needs a person is stored as a code, with the word of Stripe's that it is about.
-- It was a sentence, so that mending its English would have broken the rows.

-- +goose Up
CREATE TABLE causes (sentence text PRIMARY KEY, code text NOT NULL UNIQUE);
INSERT INTO causes VALUES
        ('waits for the purchase that it belongs to', 'awaits_purchase'),
        ('the event''s mode (test or live) is not our key''s', 'other_mode'),
        ('an event of a connected account', 'connected_account'),
        ('the stored event cannot be read', 'event_unreadable'),
        ('the event''s object cannot be read', 'object_unreadable'),
        ('the event''s object has no id', 'object_without_id'),
        ('a panic while it was booked', 'panic'),
        ('no purchase of ours has this session', 'session_unknown'),
        ('another session of this purchase is known', 'session_other'),
        ('a paid session names neither a customer that we know nor an e-mail address', 'session_without_buyer'),
        ('a session of mode', 'session_mode'),
        ('not begun here and not paid yet; the event that says paid brings all that is needed', 'session_unpaid'),
        ('not a session that was begun here', 'session_foreign'),
        ('not begun here, and sold something else beside our credits', 'session_mixed'),
        ('not begun here, and its credits are not what our prices say', 'session_credits'),
        ('a payment of another product', 'payment_foreign'),
        ('the session''s amount is not what was ordered', 'amount_differs'),
        ('unknown payment status', 'payment_status'),
        ('unknown refund status', 'refund_status'),
        ('unknown dispute status', 'dispute_status'),
        ('a payment that was booked is reported as failed', 'paid_then_failed'),
        ('paid after the account was deleted: give the money back', 'account_deleted'),
        ('a refund of no payment', 'refund_without_payment'),
        ('money of a lost dispute came back', 'dispute_reinstated'),
        ('a dispute in another currency than the payment', 'dispute_currency'),
        ('a refund in another currency than the payment', 'refund_currency'),
        ('more went back than was paid', 'refunds_exceed_payment'),
        ('an amount that cannot be', 'amount_impossible'),
        ('it contradicts what was told of the same object before', 'contradicts_earlier'),
        ('a paid session that does not say how it was paid', 'session_money'),
        ('a second payment of a purchase that is paid', 'paid_twice'),
        ('a person said that it is not ours', 'decided_foreign'),
        ('a customer of another product', 'customer_foreign'),
        ('another product''s price', 'price_foreign'),
        ('the ledger lines contradict each other', 'ledger_differs');

UPDATE stripe_events SET last_error = cause.code || substr(last_error, length(cause.sentence) + 1)
FROM causes cause WHERE last_error = cause.sentence OR starts_with(last_error, cause.sentence || ' ');

UPDATE reconciliation_findings SET note = cause.code || substr(note, length(cause.sentence) + 1)
FROM causes cause WHERE note = cause.sentence OR starts_with(note, cause.sentence || ' ');

UPDATE purchases SET cause = cause.code || substr(cause, length(cause.sentence) + 1)
FROM causes cause WHERE cause = cause.sentence OR starts_with(cause, cause.sentence || ' ');
UPDATE stripe_events SET last_error = 'failed ' || last_error
WHERE last_error <> '' AND NOT EXISTS (SELECT FROM causes WHERE code = split_part(last_error, ' ', 1));

UPDATE reconciliation_findings SET note = 'failed ' || note
WHERE note <> '' AND NOT EXISTS (SELECT FROM causes WHERE code = split_part(note, ' ', 1));

DROP TABLE causes;

-- +goose Down
CREATE TABLE causes (sentence text PRIMARY KEY, code text NOT NULL UNIQUE);
INSERT INTO causes VALUES
        ('waits for the purchase that it belongs to', 'awaits_purchase'),
        ('the event''s mode (test or live) is not our key''s', 'other_mode'),
        ('an event of a connected account', 'connected_account'),
        ('the stored event cannot be read', 'event_unreadable'),
        ('the event''s object cannot be read', 'object_unreadable'),
        ('the event''s object has no id', 'object_without_id'),
        ('a panic while it was booked', 'panic'),
        ('no purchase of ours has this session', 'session_unknown'),
        ('another session of this purchase is known', 'session_other'),
        ('a paid session names neither a customer that we know nor an e-mail address', 'session_without_buyer'),
        ('a session of mode', 'session_mode'),
        ('not begun here and not paid yet; the event that says paid brings all that is needed', 'session_unpaid'),
        ('not a session that was begun here', 'session_foreign'),
        ('not begun here, and sold something else beside our credits', 'session_mixed'),
        ('not begun here, and its credits are not what our prices say', 'session_credits'),
        ('a payment of another product', 'payment_foreign'),
        ('the session''s amount is not what was ordered', 'amount_differs'),
        ('unknown payment status', 'payment_status'),
        ('unknown refund status', 'refund_status'),
        ('unknown dispute status', 'dispute_status'),
        ('a payment that was booked is reported as failed', 'paid_then_failed'),
        ('paid after the account was deleted: give the money back', 'account_deleted'),
        ('a refund of no payment', 'refund_without_payment'),
        ('money of a lost dispute came back', 'dispute_reinstated'),
        ('a dispute in another currency than the payment', 'dispute_currency'),
        ('a refund in another currency than the payment', 'refund_currency'),
        ('more went back than was paid', 'refunds_exceed_payment'),
        ('an amount that cannot be', 'amount_impossible'),
        ('it contradicts what was told of the same object before', 'contradicts_earlier'),
        ('a paid session that does not say how it was paid', 'session_money'),
        ('a second payment of a purchase that is paid', 'paid_twice'),
        ('a person said that it is not ours', 'decided_foreign'),
        ('a customer of another product', 'customer_foreign'),
        ('another product''s price', 'price_foreign'),
        ('the ledger lines contradict each other', 'ledger_differs');

UPDATE stripe_events SET last_error = cause.sentence || substr(last_error, length(cause.code) + 1)
FROM causes cause WHERE last_error = cause.code OR starts_with(last_error, cause.code || ' ');

UPDATE reconciliation_findings SET note = cause.sentence || substr(note, length(cause.code) + 1)
FROM causes cause WHERE note = cause.code OR starts_with(note, cause.code || ' ');

UPDATE purchases SET cause = cause.sentence || substr(cause, length(cause.code) + 1)
FROM causes cause WHERE cause = cause.code OR starts_with(cause, cause.code || ' ');
UPDATE stripe_events SET last_error = substr(last_error, length('failed ') + 1) WHERE starts_with(last_error, 'failed ');

UPDATE reconciliation_findings SET note = substr(note, length('failed ') + 1) WHERE starts_with(note, 'failed ');

DROP TABLE causes;
