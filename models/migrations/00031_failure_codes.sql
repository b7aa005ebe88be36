-- Why a refund request or a reconciliation is unfinished is stored as a code with an argument, such as Stripe's code. It
-- was the text of an error, which pages could not translate.

-- +goose Up
CREATE FUNCTION failure_code(error text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN error = '' THEN ''
    WHEN error ~ 'status 4\d\d, type \w*, code \w*, request ' AND error !~ 'status (409|429), ' THEN
        'stripe_refused ' || coalesce(nullif(substring(error FROM ', code (\w*),'), ''), substring(error FROM ', type (\w*),'))
    WHEN error ~ 'status \d+, type \w*, code \w*, request ' THEN 'stripe_failed ' || substring(error FROM 'status (\d+), type ')
    WHEN error ~ '(^|stripe: |look for the refund: )(no answer \(|context deadline exceeded$)' THEN 'no_answer'
    WHEN error = 'stripe answers this key with a failure' THEN 'key_spent'
    WHEN error ~ '(^|: )context canceled$' THEN 'interrupted'
    ELSE 'unknown ' || error
END;
UPDATE refund_requests SET last_error = failure_code(last_error);
UPDATE reconciliations SET last_error = failure_code(last_error);
DROP FUNCTION failure_code;

-- +goose Down
CREATE FUNCTION failure_text(failure text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE split_part(failure, ' ', 1)
    WHEN 'stripe_refused' THEN 'status 400, type invalid_request_error, code ' || split_part(failure, ' ', 2) || ', request unknown'
    WHEN 'stripe_failed' THEN 'status ' || split_part(failure, ' ', 2) || ', type api_error, code , request unknown'
    WHEN 'no_answer' THEN 'context deadline exceeded'
    WHEN 'key_spent' THEN 'stripe answers this key with a failure'
    WHEN 'database_unavailable' THEN 'the database is unavailable'
    WHEN 'interrupted' THEN 'context canceled'
    WHEN 'unknown' THEN substr(failure, length('unknown ') + 1)
    ELSE failure
END;
UPDATE refund_requests SET last_error = failure_text(last_error);
UPDATE reconciliations SET last_error =
    CASE WHEN split_part(last_error, ' ', 1) IN ('stripe_failed', 'no_answer') THEN 'unavailable: stripe: ' ELSE '' END ||
    failure_text(last_error);
DROP FUNCTION failure_text;
