package limit

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
)

// Rule says how often something may be done.
type Rule struct {
	Name   string
	Count  int           // times that one sender may do it in a window
	Window time.Duration // begins at whole multiples of itself, by the database's clock
	InAll  int           // times that all senders together may; 0 is no bound
}

// siteShare is the part of InAll that one IPv6 site may use, one in so many: 65,536 networks of one customer must not
// use up what there is for all.
const siteShare = 8

// The rules. What a person does stays far below them; each bounds what a program costs us, Stripe or the sign-in provider.
// Stripe's own limit is per account: what one user asks it for, all others wait for.
var (
	SignIn       = Rule{Name: "sign_in", Count: 60, Window: time.Minute, InAll: 3000} // a class behind one address may begin at once
	SignInReturn = Rule{Name: "sign_in_return", Count: 60, Window: time.Minute, InAll: 3000}
	WrongKey     = Rule{Name: "wrong_key", Count: 20, Window: time.Minute}
	Checkout     = Rule{Name: "checkout", Count: 10, Window: time.Minute}
	Receipt      = Rule{Name: "receipt", Count: 20, Window: time.Minute}
	Poll         = Rule{Name: "poll", Count: 30, Window: time.Minute} // each asks Stripe about a payment
	Spend        = Rule{Name: "spend", Count: 60, Window: time.Minute}
	Account      = Rule{Name: "account", Count: 30, Window: time.Minute}
	Export       = Rule{Name: "export", Count: 10, Window: time.Hour}
	HistoryFile  = Rule{Name: "history_file", Count: 60, Window: time.Hour}
	AdminWrite   = Rule{Name: "admin_write", Count: 120, Window: time.Minute}
	Reconcile    = Rule{Name: "reconcile", Count: 6, Window: time.Minute}
	DeniedLine   = Rule{Name: "denied_line", Count: 10, Window: time.Minute} // in the audit log, of one user's refused requests
)

// Rules lists every rule.
func Rules() []Rule {
	return []Rule{SignIn, SignInReturn, WrongKey, Checkout, Receipt, Poll, Spend, Account, Export, HistoryFile, AdminWrite, Reconcile, DeniedLine}
}

// Sender is whoever does what a rule bounds: a user, or an address of somebody who is not signed in.
type Sender struct {
	name     string
	site     string // of an IPv6 address: the /48 network, which is the most that a customer gets
	stranger bool
}

// User is somebody who is signed in.
func User(id int64) Sender { return Sender{name: "user:" + strconv.FormatInt(id, 10)} }

// Address is somebody of whom nothing but the address is known. All IPv6 addresses of a subscriber are one. Its name is
// a hash: enough to count by, and no list of visitors.
func Address(ip netip.Addr) Sender {
	s := Sender{stranger: true}
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

// String is the sender's name.
func (s Sender) String() string { return s.name }
