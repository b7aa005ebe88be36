package models

// KeepUntil is SQL for the last day of the retention of today's entries: accounting records are kept for eight years
// from the end of the year.
// Source: § 147 Abs. 1 Nr. 4, Abs. 3 und 4 AO, as of 1 January 2025
const KeepUntil = `make_date(extract(year FROM now() AT TIME ZONE 'UTC')::int + 8, 12, 31)`

// KeepSince is SQL for the moment since which records are still retained. It follows KeepUntil.
const KeepSince = `make_timestamptz(extract(year FROM now() AT TIME ZONE 'UTC')::int - 8, 1, 1, 0, 0, 0, 'UTC')`
