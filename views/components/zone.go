package components

import (
	"context"
	"strings"
	"time"
	_ "time/tzdata" // works on hosts without zone files
)

type zoneKey struct{}

// longestZone bounds the names that are looked up; the longest real one is half as long.
const longestZone = 64

// WithZone returns a context that formats times in the zone with that IANA name. It ignores unknown names, and Local,
// which is the server's zone.
func WithZone(ctx context.Context, name string) context.Context {
	if name == "" || name == "Local" || len(name) > longestZone {
		return ctx
	}
	zone, err := time.LoadLocation(strings.Clone(name)) // the location outlives the request whose buffer holds the name
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, zoneKey{}, zone)
}

// Zone returns the visitor's time zone; UTC when it is unknown.
func Zone(ctx context.Context) *time.Location {
	if zone, ok := ctx.Value(zoneKey{}).(*time.Location); ok {
		return zone
	}
	return time.UTC
}
