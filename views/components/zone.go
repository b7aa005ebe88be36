package components

import (
	"context"
	"strings"
	"time"
	_ "time/tzdata" // a host without zone files knows every zone all the same
)

type zoneKey struct{}

// longestZone bounds what is looked up: the longest name of a zone has about half as many letters.
const longestZone = 64

// WithZone returns a context in which moments are written in the zone of that IANA name. An unknown name changes
// nothing; nor does Local, which is the server's zone and says nothing about the visitor's.
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

// Zone is the visitor's time zone, UTC where it is not known.
func Zone(ctx context.Context) *time.Location {
	if zone, ok := ctx.Value(zoneKey{}).(*time.Location); ok {
		return zone
	}
	return time.UTC
}
