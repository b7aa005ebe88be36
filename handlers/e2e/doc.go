// Package e2e tests the product as its users meet it: the built binary, driven over plain HTTP with JavaScript off and
// in a real browser. It imports nothing of the product but the database of the tests, and the client that is there for
// other programs to copy.
package e2e
