// Package e2e tests the product as a black box: it starts the built binary and drives it over plain HTTP, with
// JavaScript off, and in Chromium. Of the product it imports only the test database, the stand-ins, the Go client for
// other programs and, for comparisons, the ledger and spend services.
package e2e
