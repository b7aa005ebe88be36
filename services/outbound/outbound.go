// Package outbound tells the operator's programs of credits: it sends events to their endpoints, signed as the Standard
// Webhooks specification 1.0 says.
//
// Triggers of the database write one delivery for each event and endpoint in the transaction that books the event, so
// that none is lost, whoever books it. Any number of replicas send them: each claims due deliveries for the time that
// an attempt may take, so that one whose sender died is tried again, with the same webhook-id.
//
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
package outbound

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/seal"
)

// Bounds of endpoints.
const (
	MaxEndpoints        = 20
	MaxURL              = 500 // characters
	MaxThreshold        = models.Credits(1_000_000)
	DefaultThreshold    = models.Credits(50)
	RotationOverlap     = 24 * time.Hour   // for which a rotated secret still signs
	maxSignatures       = 5                // of one request: the current secret and the newest of those that were rotated
	deliveryRetention   = "30 days"        // for which deliveries are listed, and can be replayed
	maxIdempotencyKey   = 255              // characters
	sealPurpose         = "webhook secret" // of services/seal
	secretBytes         = 32
	uniqueEndpointsLock = `SELECT pg_advisory_xact_lock(hashtext('webhook endpoints'))`
)

// Networks says which addresses besides public ones may be sent to.
type Networks struct {
	Loopback bool // also by http: for development
	Private  bool // private networks and loopback, also by http
}

// Service manages endpoints and sends them their events. Use one per process; see New.
type Service struct {
	db       *gorm.DB
	secrets  seal.Secrets
	networks Networks
	log      *slog.Logger
	timeout  time.Duration // of one attempt
	grace    time.Duration // for attempts that run when the process stops

	https, http *http.Client
	database    sync.Mutex // the deliveries of a process use one connection at a time
}

// New returns the service for a database. secrets seal the endpoints' secrets.
func New(db *gorm.DB, secrets seal.Secrets, networks Networks, log *slog.Logger) *Service {
	local := networks.Loopback || networks.Private
	return &Service{
		db: db, secrets: secrets, networks: networks, log: log, timeout: sendTimeout, grace: stopGrace,
		https: newClient(guard{public: true, private: networks.Private, loopback: local}),
		http:  newClient(guard{private: networks.Private, loopback: local}),
	}
}
