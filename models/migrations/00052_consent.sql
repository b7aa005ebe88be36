-- +goose Up
-- What the buyer declared with the order about its performance within the withdrawal period (models.Consent); NULL for
-- nothing. It is evidence, so it never changes.
ALTER TABLE purchases ADD COLUMN consent jsonb,
    ADD CONSTRAINT purchases_consent_object CHECK (jsonb_typeof(consent) = 'object') NOT VALID;

-- +goose StatementBegin
CREATE FUNCTION purchases_consent_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the consent of purchase % never changes', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'purchases_consent_kept', TABLE = 'purchases';
END $$;
-- +goose StatementEnd
CREATE TRIGGER purchases_consent_kept BEFORE UPDATE OF consent ON purchases
    FOR EACH ROW WHEN (NEW.consent IS DISTINCT FROM OLD.consent) EXECUTE FUNCTION purchases_consent_kept();

-- +goose Down
DROP TRIGGER purchases_consent_kept ON purchases;
DROP FUNCTION purchases_consent_kept();
ALTER TABLE purchases DROP COLUMN consent;
