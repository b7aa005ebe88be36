package stripe

import "crypto/rand"

// newID returns an identifier as Stripe makes them: a prefix and random letters.
func newID(prefix string) string {
	switch prefix {
	case "cs_test_":
		return prefix + "a1" + (rand.Text() + rand.Text() + rand.Text())[:56]
	case "prod_", "cus_", "req_":
		return prefix + rand.Text()[:14]
	default:
		return prefix + "1" + rand.Text()[:23]
	}
}
