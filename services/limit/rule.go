package limit

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
)

// Rule bounds how often an action may happen.
type Rule struct {
	Name   string
	Count  int           // actions of one sender in a window
	Window time.Duration // starts at whole multiples of itself, by the database's clock
	InAll  int           // actions of all senders together; 0 means no bound
}

// siteShare is the divisor that gives the part of InAll that one IPv6 site may use: the 65,536 networks of one customer
// must not use up the bound of all senders.
const siteShare = 8

// The rules. A person stays far below them; each bounds what a program costs us, Stripe or the sign-in provider. Stripe
// limits our whole account, so the requests of one user delay those of all others.
var (
	// SignIn lets a class behind one address start at once.
	SignIn       = Rule{Name: "sign_in", Count: 60, Window: time.Minute, InAll: 3000}
	SignInReturn = Rule{Name: "sign_in_return", Count: 60, Window: time.Minute, InAll: 3000}
	WrongKey     = Rule{Name: "wrong_key", Count: 20, Window: time.Minute}
	Checkout     = Rule{Name: "checkout", Count: 10, Window: time.Minute}
	Refund       = Rule{Name: "refund", Count: 10, Window: time.Hour}
	Receipt      = Rule{Name: "receipt", Count: 20, Window: time.Minute}
	Poll         = Rule{Name: "poll", Count: 30, Window: time.Minute} // each request asks Stripe about a payment
	Spend        = Rule{Name: "spend", Count: 60, Window: time.Minute}
	Account      = Rule{Name: "account", Count: 30, Window: time.Minute}
	Export       = Rule{Name: "export", Count: 10, Window: time.Hour}
	HistoryFile  = Rule{Name: "history_file", Count: 60, Window: time.Hour}
	AdminWrite   = Rule{Name: "admin_write", Count: 120, Window: time.Minute}
	Reconcile    = Rule{Name: "reconcile", Count: 6, Window: time.Minute}
	// DeniedLine bounds the audit entries about one user's denied requests.
	DeniedLine = Rule{Name: "denied_line", Count: 10, Window: time.Minute}
)

// Sender is whose actions a rule counts: a signed-in user or, for anonymous requests, an address.
type Sender struct {
	name      string
	site      string // the /48 network of an IPv6 address, the largest that a customer gets; empty for others
	anonymous bool
}

// User returns the sender for a signed-in user.
func User(id int64) Sender { return Sender{name: "user:" + strconv.FormatInt(id, 10)} }

// Address returns the sender for an anonymous request. All IPv6 addresses of one subscriber (/64) are one sender. The
// name is a hash, so that the table holds no list of visitors.
func Address(ip netip.Addr) Sender {
	s := Sender{anonymous: true}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		s.site = "site:" + hashed(netip.PrefixFrom(ip, 48).Masked().Addr())
		ip = netip.PrefixFrom(ip, 64).Masked().Addr()
	}
	s.name = "from:" + hashed(ip)
	return s
}

func hashed(ip netip.Addr) string {
	hash := sha256.Sum256([]byte(ip.String()))
	return hex.EncodeToString(hash[:16])
}

// String returns the sender's name.
func (s Sender) String() string { return s.name }
