package auth

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// SandboxIssuer is the stored issuer of the sandbox's provider. Its own issuer contains a port, which differs between
// starts and between servers on one database.
const SandboxIssuer = "sandbox"

// AdoptSandbox moves identities that an older sandbox stored under its port to SandboxIssuer. db may be nil.
func AdoptSandbox(ctx context.Context, db *gorm.DB) error {
	if db == nil {
		return nil
	}
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		for _, statement := range []string{
			// Of several identities with one subject, which were one person's, the last used remains.
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
		return fmt.Errorf("adopt the sandbox's identities: %w", err)
	}
	return nil
}
