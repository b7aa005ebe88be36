-- +goose NO TRANSACTION
-- +goose Up
-- Every few seconds each server looks for deletions that are due.
DROP INDEX CONCURRENTLY IF EXISTS gate_users_deletion_due_at;
CREATE INDEX CONCURRENTLY gate_users_deletion_due_at ON gate_users (deletion_due_at) WHERE deletion_due_at IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS gate_users_deletion_due_at;
