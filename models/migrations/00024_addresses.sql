-- +goose Up
-- An address is stored in the one spelling that services/address gives it, so that equal mailboxes are equal texts and
-- an index over the plain column finds them. Rows from before are brought there as far as SQL can, unless two accounts
-- would come to hold the same one: those stay as they are, and `credits doctor` lists them.
-- +goose StatementBegin
CREATE FUNCTION address_spelling(email text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT rtrim(lower(normalize(btrim(email, E' \t'), NFC)), '.')
$$;
-- +goose StatementEnd
UPDATE identities SET email = address_spelling(email) WHERE email <> address_spelling(email);
UPDATE users u SET email = address_spelling(email)
    WHERE email <> address_spelling(email) AND NOT EXISTS
        (SELECT FROM users other WHERE other.id <> u.id AND address_spelling(other.email) = address_spelling(u.email));
DROP FUNCTION address_spelling(text);

DROP INDEX users_email_key, identities_email;
CREATE UNIQUE INDEX users_email_key ON users (email);
CREATE INDEX identities_email ON identities (email);

-- What SQL can tell of that spelling: capital letters of ASCII become small ones here, too, and the rest is refused. A
-- trigger rather than a CHECK: a row from before keeps its address, and its credits move all the same. Letters beyond
-- ASCII are lower-cased by the program alone, whatever the database's locale does.
-- +goose StatementBegin
CREATE FUNCTION address_canonical() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    IF NEW.email <> '' AND (NEW.email IS NOT NFC NORMALIZED
        OR NEW.email !~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]*[^@.[:space:][:cntrl:]]$'
        OR NEW.email ~ '@(.*\.)?xn--' OR NEW.email ~ '[\u212A\u0130]' OR octet_length(NEW.email) > 254) THEN
        RAISE EXCEPTION 'an address is not in its stored spelling'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_email_canonical', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER users_email_canonical BEFORE INSERT OR UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION address_canonical();
CREATE TRIGGER identities_email_canonical BEFORE INSERT OR UPDATE OF email ON identities FOR EACH ROW EXECUTE FUNCTION address_canonical();


-- users.email is the address of an account that nobody has signed in to yet, or one that a provider of the account's has
-- verified. What a provider merely claims stays with the identity: no grant and no payment finds the account by it.
UPDATE users u SET email = NULL, updated_at = now() WHERE email IS NOT NULL
    AND EXISTS (SELECT FROM identities i WHERE i.user_id = u.id)
    AND NOT EXISTS (SELECT FROM identities i WHERE i.user_id = u.id AND i.email_verified AND i.email = u.email);
-- +goose StatementBegin
CREATE FUNCTION email_verified() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owners integer[];
BEGIN
    IF TG_TABLE_NAME = 'users' THEN
        owners := ARRAY[NEW.id];
    ELSIF TG_OP = 'INSERT' THEN
        owners := ARRAY[NEW.user_id];
    ELSIF TG_OP = 'DELETE' THEN
        owners := ARRAY[OLD.user_id];
    ELSE
        owners := ARRAY[OLD.user_id, NEW.user_id];
    END IF;
    IF EXISTS (SELECT FROM users u WHERE u.id = ANY (owners) AND u.email IS NOT NULL
        AND EXISTS (SELECT FROM identities i WHERE i.user_id = u.id)
        AND NOT EXISTS (SELECT FROM identities i WHERE i.user_id = u.id AND i.email_verified AND i.email = u.email)) THEN
        RAISE EXCEPTION 'user % holds an address that no provider of theirs has verified', owners[1]
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_email_verified', TABLE = 'users';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER users_email_verified AFTER INSERT OR UPDATE OF email ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION email_verified();
CREATE CONSTRAINT TRIGGER identities_email_verified AFTER INSERT OR UPDATE OR DELETE ON identities
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION email_verified();

-- An account that was made for an address by a payment, and whose purchases and credits went to whoever proved the address
-- later. It stays as a number, for the ledger and for repeats of requests, until that user is removed.
ALTER TABLE users
    ADD COLUMN merged_into integer REFERENCES users (id) ON DELETE SET NULL,
    ADD CONSTRAINT users_merged_is_nobody CHECK (merged_into IS NULL OR (email IS NULL AND stripe_customer_id IS NULL AND merged_into <> id));
CREATE INDEX users_merged_into ON users (merged_into) WHERE merged_into IS NOT NULL;

-- A purchase that moves to another account takes its credits along: one entry on each side, each naming the other account
-- as its counterpart. Like a refund, this may leave the account behind in debt, where it has spent them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION credit_transactions_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held         integer;
    last_id      bigint;
    last_balance integer;
    known        boolean;
BEGIN
    -- Rows of one user are written one after the other, also by a writer who forgot to lock.
    SELECT credits_held INTO held FROM users WHERE id = NEW.user_id FOR UPDATE;
    SELECT c.id, c.balance_after, NEW.reason IN ('purchase', 'refund', 'dispute', 'manual')
            OR EXISTS (SELECT FROM feature_prices WHERE feature = NEW.reason)
        INTO last_id, last_balance, known
        FROM (SELECT) one LEFT JOIN LATERAL
            (SELECT id, balance_after FROM credit_transactions WHERE user_id = NEW.user_id ORDER BY id DESC LIMIT 1) c ON true;
    IF last_id >= NEW.id THEN
        RAISE EXCEPTION 'credit transaction % comes after % of the same user', last_id, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_in_order', TABLE = 'credit_transactions';
    END IF;
    IF NOT known THEN
        RAISE EXCEPTION 'no feature is called %', NEW.reason
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_reason_known', TABLE = 'credit_transactions';
    END IF;
    NEW.balance_after := coalesce(last_balance, 0) + NEW.delta_credits;
    -- Only what Stripe took back, what was held before it did, and what moves with its purchase may leave a debt.
    IF NEW.delta_credits < 0 AND NEW.balance_after < held AND NEW.reason NOT IN ('refund', 'dispute')
        AND NEW.meta ->> 'hold_id' IS NULL AND NEW.meta ->> 'counterpart' IS NULL THEN
        RAISE EXCEPTION 'user % has not % credits to take', NEW.user_id, -NEW.delta_credits
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_covered', TABLE = 'credit_transactions';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION counterparts_agree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reason <> 'manual' OR NOT EXISTS (SELECT FROM credit_transactions c WHERE c.user_id = (NEW.meta ->> 'counterpart')::integer
        AND c.created_at = NEW.created_at AND c.delta_credits = -NEW.delta_credits AND c.meta ->> 'counterpart' = NEW.user_id::text
        AND c.meta ->> 'purchase_id' IS NOT DISTINCT FROM NEW.meta ->> 'purchase_id') THEN
        RAISE EXCEPTION 'credit transaction % moves credits of no counterpart', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_counterparts_agree', TABLE = 'credit_transactions';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER credit_transactions_counterparts_agree AFTER INSERT ON credit_transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.meta ->> 'counterpart' IS NOT NULL) EXECUTE FUNCTION counterparts_agree();

-- +goose Down
DROP TRIGGER credit_transactions_counterparts_agree ON credit_transactions;
DROP FUNCTION counterparts_agree();
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION credit_transactions_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held         integer;
    last_id      bigint;
    last_balance integer;
    known        boolean;
BEGIN
    -- Rows of one user are written one after the other, also by a writer who forgot to lock.
    SELECT credits_held INTO held FROM users WHERE id = NEW.user_id FOR UPDATE;
    SELECT c.id, c.balance_after, NEW.reason IN ('purchase', 'refund', 'dispute', 'manual')
            OR EXISTS (SELECT FROM feature_prices WHERE feature = NEW.reason)
        INTO last_id, last_balance, known
        FROM (SELECT) one LEFT JOIN LATERAL
            (SELECT id, balance_after FROM credit_transactions WHERE user_id = NEW.user_id ORDER BY id DESC LIMIT 1) c ON true;
    IF last_id >= NEW.id THEN
        RAISE EXCEPTION 'credit transaction % comes after % of the same user', last_id, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_in_order', TABLE = 'credit_transactions';
    END IF;
    IF NOT known THEN
        RAISE EXCEPTION 'no feature is called %', NEW.reason
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_reason_known', TABLE = 'credit_transactions';
    END IF;
    NEW.balance_after := coalesce(last_balance, 0) + NEW.delta_credits;
    -- Only what Stripe took back, and what was held before it did, may leave a debt.
    IF NEW.delta_credits < 0 AND NEW.balance_after < held AND NEW.reason NOT IN ('refund', 'dispute')
        AND NEW.meta ->> 'hold_id' IS NULL THEN
        RAISE EXCEPTION 'user % has not % credits to take', NEW.user_id, -NEW.delta_credits
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_covered', TABLE = 'credit_transactions';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
DROP INDEX users_merged_into;
ALTER TABLE users DROP CONSTRAINT users_merged_is_nobody, DROP COLUMN merged_into;
DROP TRIGGER identities_email_verified ON identities;
DROP TRIGGER users_email_verified ON users;
DROP FUNCTION email_verified();
DROP TRIGGER identities_email_canonical ON identities;
DROP TRIGGER users_email_canonical ON users;
DROP FUNCTION address_canonical();
DROP INDEX users_email_key, identities_email;
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE INDEX identities_email ON identities (lower(email));
