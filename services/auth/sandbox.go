package auth

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// SandboxIssuer is what the identities of the sandbox's provider are kept under. Its own issuer names a port, which may
// be another at the next start, and each of two servers on one database has one.
const SandboxIssuer = "sandbox"

// AdoptSandbox brings the identities of a sandbox from before that under it. db may be nil.
func AdoptSandbox(ctx context.Context, db *gorm.DB) error {
	if db == nil {
		return nil
	}
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		for _, statement := range []string{
			// Of several with one subject, which were all one person's, the last used stays.
			`DELETE FROM identities AS old USING identities AS used WHERE old.provider = 'oidc' AND used.provider = 'oidc' AND old.subject = used.subject
				AND old.issuer <> @issuer AND (used.issuer = @issuer OR (used.last_sign_in_at, used.issuer) > (old.last_sign_in_at, old.issuer))`,
			`UPDATE identities SET issuer = @issuer WHERE provider = 'oidc' AND issuer <> @issuer`,
		} {
			if err := tx.Exec(statement, map[string]any{"issuer": SandboxIssuer}).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bring the sandbox's identities up to date: %w", err)
	}
	return nil
}
