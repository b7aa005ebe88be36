-- +goose Up
-- Disputes that end before the bank takes the money.
-- Source: https://docs.stripe.com/api/disputes/object#dispute_object-status
ALTER TABLE stripe_disputes
    DROP CONSTRAINT stripe_disputes_status_known,
    ADD CONSTRAINT stripe_disputes_status_known CHECK (status IN ('warning_needs_response', 'warning_under_review',
        'warning_closed', 'needs_response', 'under_review', 'lost', 'won', 'prevented')) NOT VALID;

-- +goose Down
ALTER TABLE stripe_disputes
    DROP CONSTRAINT stripe_disputes_status_known,
    ADD CONSTRAINT stripe_disputes_status_known CHECK (status IN ('warning_needs_response', 'warning_under_review',
        'warning_closed', 'needs_response', 'under_review', 'lost', 'won')) NOT VALID;
