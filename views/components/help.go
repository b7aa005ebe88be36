package components

import "context"

type helpKey struct{}

// WithHelp returns a context whose pages link to address, a mailto link, for help. Without an address they promise
// none.
func WithHelp(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, helpKey{}, address)
}

// Help returns the address for help; empty without one.
func Help(ctx context.Context) string {
	address, _ := ctx.Value(helpKey{}).(string)
	return address
}
