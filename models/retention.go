package models

// KeepUntil is SQL for the last day on which an entry of today must be kept: booking vouchers are kept for eight years,
// and the time begins at the end of the year.
// Source: § 147 Abs. 1 Nr. 4, Abs. 3 und 4 AO, as of 1 January 2025
const KeepUntil = `make_date(extract(year FROM now() AT TIME ZONE 'UTC')::int + 8, 12, 31)`

// KeepYears is how many years that is, for people.
const KeepYears = 8
