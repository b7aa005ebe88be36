-- +goose Up
-- Which installation this is: a tag on all that we create at Stripe, so that two products, or two installations of this
-- one, can share a Stripe account. created_at is from when on all of it carries the tag.
CREATE TABLE installations (
    only_row   boolean PRIMARY KEY DEFAULT true,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT installations_only_row CHECK (only_row)
);
INSERT INTO installations DEFAULT VALUES;

-- What we have asked Stripe about and seen to be another product's: it is not asked about again. A purchase of ours
-- counts for more, should one turn up.
CREATE TABLE foreign_objects (
    object_id text PRIMARY KEY,
    kind      text        NOT NULL,
    seen_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT foreign_objects_object_id_not_blank CHECK (object_id <> ''),
    CONSTRAINT foreign_objects_kind_known CHECK (kind IN ('session', 'payment'))
);
CREATE INDEX foreign_objects_seen ON foreign_objects (seen_at);

-- Whether we made a Stripe customer. Only such a one is used for Checkout, and deleted with its account. NULL is not
-- known, and Stripe is asked before either. email and name are what Stripe was last told.
ALTER TABLE stripe_customers
    ADD COLUMN created_by_us boolean,
    ADD COLUMN email text NOT NULL DEFAULT '',
    ADD COLUMN name text NOT NULL DEFAULT '';
-- Until now others came with a session that was not begun here, and only for its user.
UPDATE stripe_customers c SET created_by_us = true
    WHERE NOT EXISTS (SELECT FROM purchases p WHERE p.user_id = c.user_id AND p.stripe_price_id IS NULL);

-- What waited in vain for its purchase was handed to a person. Stripe can be asked now whose it is.
UPDATE stripe_events SET status = 'deferred', attempts = 1, next_attempt_at = now()
    WHERE status = 'review' AND last_error = 'waits for the purchase that it belongs to';

-- +goose StatementBegin
CREATE FUNCTION uses_own_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM stripe_customers WHERE customer_id = NEW.stripe_customer_id AND NOT created_by_us) THEN
        RAISE EXCEPTION 'customer % is not one that we made', NEW.stripe_customer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_stripe_customer_made_by_us', TABLE = 'users';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER users_stripe_customer_made_by_us BEFORE INSERT OR UPDATE OF stripe_customer_id ON users
    FOR EACH ROW WHEN (NEW.stripe_customer_id IS NOT NULL) EXECUTE FUNCTION uses_own_customer();

-- +goose Down
DROP TRIGGER users_stripe_customer_made_by_us ON users;
DROP FUNCTION uses_own_customer();
ALTER TABLE stripe_customers DROP COLUMN name, DROP COLUMN email, DROP COLUMN created_by_us;
DROP TABLE foreign_objects;
DROP TABLE installations;
