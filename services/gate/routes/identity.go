package routes

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Identity names the headers that the gate adds to a request: whose it is, which the answer repeats, and the secret of
// the tenant add-on.
type Identity struct {
	User   string `yaml:"user"`
	Secret string `yaml:"secret"`
}

// DefaultIdentity are the headers that the tenant add-on knows.
var DefaultIdentity = Identity{User: "X-Credits-User", Secret: "X-Credits-Secret"}

// headerForm is a name that no standard uses and every server reads alike: some take an underscore for a hyphen.
var headerForm = regexp.MustCompile(`^X(-[A-Z0-9][a-z0-9]*)+$`)

// maxHeader bounds a header's name, in bytes.
const maxHeader = 64

// reservedPrefixes begin the names of X- headers that proxies, frameworks and browsers use.
var reservedPrefixes = []string{"X-Content-", "X-Forwarded-", "X-Frame-", "X-Http-", "X-Middleware-", "X-Nextjs-",
	"X-Original-", "X-Real-", "X-Request-", "X-Rewrite-"}

// check canonicalizes the names and refuses those with a meaning of their own. The form X- already excludes most, such
// as Cookie, Authorization, Host and Connection.
func (i *Identity) check() error {
	for _, name := range []*string{&i.User, &i.Secret} {
		*name = http.CanonicalHeaderKey(*name)
		reserved := slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(*name, p) })
		if !headerForm.MatchString(*name) || len(*name) > maxHeader || reserved {
			return fmt.Errorf("%q cannot be the name of a header of the gate: choose one such as X-Tenant-Id", *name)
		}
	}
	if i.User == i.Secret {
		return fmt.Errorf("%q cannot carry both the user and the secret", i.User)
	}
	return nil
}
