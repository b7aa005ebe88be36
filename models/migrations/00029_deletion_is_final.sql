-- +goose Up
-- A deleted account stays deleted. Words of its entries and its audit lines may then be taken out, so whoever could bring
-- it back could take out those of a live account: mark it as deleted, remove, and mark it back.
-- +goose StatementBegin
CREATE FUNCTION deletion_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'user % is deleted, and stays so', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'users_deletion_is_final', TABLE = 'users';
END $$;
-- +goose StatementEnd
CREATE TRIGGER users_deletion_is_final BEFORE UPDATE OF deleted_at ON users FOR EACH ROW
    WHEN (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS DISTINCT FROM OLD.deleted_at) EXECUTE FUNCTION deletion_is_final();

-- +goose Down
DROP TRIGGER users_deletion_is_final ON users;
DROP FUNCTION deletion_is_final();
