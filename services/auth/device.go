package auth

import (
	"context"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/models"
)

// Names of browsers and systems, with what a User-Agent header says of each. The first that fits counts: most browsers
// also call themselves Chrome, and Chrome calls itself Safari.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// Device is all that is kept of a User-Agent header: two proper names, the same in every language. "" for neither.
func Device(userAgent string) string {
	var words []string
	for _, known := range [][][2]string{browsers, systems} {
		for _, pair := range known {
			if strings.Contains(userAgent, pair[0]) {
				words = append(words, pair[1])
				break
			}
		}
	}
	return strings.Join(words, ", ")
}

// List returns a user's live sessions, the last used first. Their KeyHash names them to End; it opens nothing.
func (s *Sessions) List(ctx context.Context, userID int64) ([]models.Session, error) {
	db, cancel := s.query(ctx)
	defer cancel()
	var found []models.Session
	err := db.Raw(`SELECT key_hash, device, created_at, last_seen_at, expires_at FROM sessions
		WHERE user_id = ? AND expires_at > ? AND data <> '' ORDER BY last_seen_at DESC, key_hash`, userID, s.now()).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("sessions of user %d: %w", userID, err)
	}
	return found, nil
}

// Name is how List names the session with this key.
func (s *Sessions) Name(key string) string { return s.hash(key) }

// End ends one of a user's sessions, on every replica. One that is gone, or another's, is no error.
func (s *Sessions) End(ctx context.Context, userID int64, name string) error {
	db, cancel := s.query(ctx)
	defer cancel()
	err := db.Exec("UPDATE sessions SET data = '', user_id = NULL, device = '', expires_at = ? WHERE user_id = ? AND key_hash = ?",
		s.now(), userID, name).Error
	if err != nil {
		return fmt.Errorf("end a session of user %d: %w", userID, err)
	}
	return nil
}
