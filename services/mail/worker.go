package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/periodic"
)

// How letters are sent.
const (
	perRound   = 20              // letters over one connection
	firstPause = 2 * time.Minute // the delay of the first retry, then doubled; longer than a round, so that no other
	// worker sends a letter meanwhile
	maxPause = 6 * time.Hour
)

// Content is the text of a letter.
type Content struct {
	Subject, Text, HTML string
	Attachments         []Attachment
	Unsubscribe         string // URL that takes a POST to stop such letters; empty for mandatory ones
}

// Attachment is a file of a letter.
type Attachment struct {
	Name        string
	ContentType string
	Content     []byte
}

// Recipient is who a letter goes to.
type Recipient struct {
	Name    string
	Address string
}

// Service sends the stored letters.
type Service struct {
	DB     *gorm.DB
	Server *Server // nil without SMTP_URL: letters wait, and fail after 72 hours
	From   string  // MAIL_FROM
	// Operators are the addresses of letters to the operator.
	Operators []string
	// Write composes a letter. It must not read the database.
	Write func(l models.Letter, to Recipient) (Content, error)
	Now   func() time.Time
	Log   *slog.Logger
}

// Jobs send due letters. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	due := `(SELECT min(next_attempt_at) FROM letters WHERE status = 'waiting')`
	if s.Server == nil { // no letter is attempted, so the first is the oldest
		due = `(SELECT expires_at FROM letters WHERE status = 'waiting' ORDER BY next_attempt_at LIMIT 1)`
	}
	return []periodic.Job{{Name: "send letters", Work: s.SendDue, Due: due}}
}

// SendDue sends the letters that are due, and lets those fail that have waited for too long.
//
// Errors: of the database; a mail server that does not answer is one, too, but leaves the letters waiting.
func (s *Service) SendDue(ctx context.Context) error {
	if err := s.expire(ctx); err != nil || s.Server == nil {
		return err
	}
	for ctx.Err() == nil {
		letters, err := s.claim(ctx)
		if err != nil || len(letters) == 0 {
			return err
		}
		if err := s.send(ctx, letters); err != nil {
			return err
		}
	}
	return nil
}

// expire lets letters fail that no server has accepted in time. Days later, most would only confuse.
func (s *Service) expire(ctx context.Context) error {
	expired := s.DB.WithContext(ctx).Exec(`UPDATE letters SET status = 'failed', last_error = coalesce(nullif(last_error, ''), ?)
		WHERE status = 'waiting' AND expires_at < ?`, s.unattempted(), s.Now())
	if expired.Error != nil {
		return fmt.Errorf("expire letters: %w", expired.Error)
	}
	if expired.RowsAffected == 0 {
		return nil
	}
	s.Log.ErrorContext(ctx, "letters not sent within 72 hours", "count", expired.RowsAffected)
	return forgetGone(s.DB.WithContext(ctx), `status = 'failed' AND args <> '{}'`)
}

// forgetGone erases letters to deleted accounts that are no longer to be sent.
func forgetGone(db *gorm.DB, where string, args ...any) error {
	err := db.Exec(ForgetSQL+` WHERE user_id IN (SELECT id FROM users WHERE deleted_at IS NOT NULL) AND `+where, args...).Error
	if err != nil {
		return fmt.Errorf("erase letters to deleted accounts: %w", err)
	}
	return nil
}

// unattempted is why a letter without an attempt was not sent.
func (s *Service) unattempted() models.Cause {
	if s.Server == nil {
		return models.CauseMailUnset
	}
	return models.CauseMailAway
}

// letter is a claimed letter with its recipient.
type letter struct {
	models.Letter
	Name  string // of the user
	Email string // of the user; empty once the account is deleted
	Gone  bool   // the account is deleted

	Refused bool // the user does not want the kind

	OperatorLocale string // of the operator's account; empty without one
}

// claimSQL takes due letters. A worker that dies leaves them to be sent again at next_attempt_at.
const claimSQL = `WITH due AS (
	UPDATE letters SET attempts = attempts + 1,
		next_attempt_at = CAST(@now AS timestamptz)
			+ interval '1 second' * least(CAST(@first AS float8) * 2 ^ least(attempts, 20), CAST(@longest AS float8))
	WHERE id IN (SELECT id FROM letters WHERE status = 'waiting' AND next_attempt_at <= @now
		ORDER BY next_attempt_at, id LIMIT @most FOR UPDATE SKIP LOCKED)
	RETURNING *
) SELECT due.*, coalesce(users.name, '') AS name, coalesce(users.email, '') AS email, users.deleted_at IS NOT NULL AS gone,
	EXISTS (SELECT FROM letter_refusals r WHERE r.user_id = due.user_id AND r.kind = due.kind) AS refused,
	CASE WHEN due.user_id IS NULL AND recipient = '' THEN coalesce((SELECT locale FROM users WHERE email = @operator), '') ELSE '' END AS operator_locale
FROM due LEFT JOIN users ON users.id = due.user_id ORDER BY due.created_at, due.id`

func (s *Service) claim(ctx context.Context) ([]letter, error) {
	var letters []letter
	operator := ""
	if len(s.Operators) > 0 {
		operator = s.Operators[0]
	}
	err := s.DB.WithContext(ctx).Raw(claimSQL, map[string]any{"now": s.Now(), "first": firstPause.Seconds(),
		"longest": maxPause.Seconds(), "most": perRound,
		"operator": operator}).Find(&letters).Error
	if err != nil {
		return nil, fmt.Errorf("claim letters: %w", err)
	}
	return letters, nil
}

// send hands letters over, one after the other over one connection. Nothing is locked meanwhile. When the connection is
// lost or the round's time is over, the letters that it has not tried are due again at once.
func (s *Service) send(ctx context.Context, letters []letter) error {
	round, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	connection, err := s.Server.connect(round)
	if err != nil {
		return errors.Join(err, s.noteAway(ctx, letters))
	}
	defer connection.close()
	for i, l := range letters {
		if round.Err() != nil {
			return s.giveBack(ctx, letters[i:])
		}
		if err := s.deliver(ctx, connection, l); err != nil {
			lost := s.giveBack(ctx, letters[i+1:])
			if _, failed := errors.AsType[*failure](err); failed { // another connection may do for the others
				return lost
			}
			return errors.Join(err, lost)
		}
	}
	return nil
}

// noteAway stores that the server could not be reached for these letters. They are due again as scheduled.
func (s *Service) noteAway(ctx context.Context, letters []letter) error {
	return s.update(ctx, letters, `UPDATE letters SET last_error = @away
		WHERE id = ANY (CAST(string_to_array(@ids, ',') AS uuid[])) AND status = 'waiting' AND last_error = ''`)
}

// giveBack makes letters due at once that have been claimed and not tried.
func (s *Service) giveBack(ctx context.Context, letters []letter) error {
	return s.update(ctx, letters, `UPDATE letters SET attempts = attempts - 1, next_attempt_at = @now
		WHERE id = ANY (CAST(string_to_array(@ids, ',') AS uuid[])) AND status = 'waiting' AND attempts > 0`)
}

// update changes claimed letters, also when ctx has ended.
func (s *Service) update(ctx context.Context, letters []letter, query string) error {
	if len(letters) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	ids := make([]string, len(letters))
	for i, l := range letters {
		ids[i] = l.ID.String()
	}
	err := s.DB.WithContext(ctx).Exec(query, map[string]any{"ids": strings.Join(ids, ","), "now": s.Now(),
		"away": models.CauseMailAway}).Error
	if err != nil {
		return fmt.Errorf("give back %d letters: %w", len(letters), err)
	}
	return nil
}

// deliver writes one letter and hands it over. It returns an error when the connection is of no more use.
func (s *Service) deliver(ctx context.Context, c *connection, l letter) error {
	to, status := s.recipients(l)
	if status != "" {
		return s.settle(ctx, l, status, "")
	}
	l.Locale = cmp.Or(l.OperatorLocale, l.Locale)
	content, err := s.Write(l.Letter, to[0])
	if err != nil {
		s.Log.ErrorContext(ctx, "letter cannot be written", "letter_id", l.ID, "kind", l.Kind, "err", err)
		return s.settle(ctx, l, models.LetterFailed, models.CauseMailWrite)
	}
	if waits, err := s.fixContent(ctx, l, &content); err != nil || !waits {
		return err
	}
	_, failure := c.send(message{id: messageID(l.Letter, s.From), from: s.From, to: to, date: l.CreatedAt,
		content: content})
	if failure == nil {
		s.Log.InfoContext(ctx, "letter sent", "letter_id", l.ID, "kind", l.Kind, "user_id", l.UserID, "attempts", l.Attempts)
		return s.settle(ctx, l, models.LetterSent, "")
	}
	s.Log.WarnContext(ctx, "letter not sent", "letter_id", l.ID, "kind", l.Kind, "attempts", l.Attempts,
		"cause", failure.cause, "permanent", failure.permanent)
	status = models.LetterWaiting
	if failure.permanent {
		status = models.LetterFailed
	}
	if err := s.settle(ctx, l, status, failure.cause); err != nil || failure.usable {
		return err
	}
	return failure
}

// recipients returns who a letter goes to, or its final status if it has no recipient left.
func (s *Service) recipients(l letter) ([]Recipient, models.LetterStatus) {
	switch {
	case l.Refused:
		return nil, models.LetterDropped
	case l.Recipient != "":
		return []Recipient{{Address: l.Recipient}}, ""
	case l.UserID != nil && l.Email == "":
		return nil, models.LetterDropped
	case l.UserID != nil:
		return []Recipient{{l.Name, l.Email}}, ""
	}
	var operators []Recipient
	for _, address := range s.Operators {
		operators = append(operators, Recipient{Address: address})
	}
	if len(operators) == 0 {
		return nil, models.LetterDropped
	}
	return operators, ""
}

// contentSQL stores what a letter says, unless an earlier attempt has.
const contentSQL = `UPDATE letters SET subject = CASE text WHEN '' THEN @subject ELSE subject END,
	html = CASE text WHEN '' THEN @html ELSE html END, text = CASE text WHEN '' THEN @text ELSE text END
	WHERE id = @id AND status = 'waiting' RETURNING subject, text, html`

// fixContent stores the letter, or replaces it by what the first attempt stored, so that all attempts hand over the
// same. It reports whether the letter still waits, and no other worker has sent it.
func (s *Service) fixContent(ctx context.Context, l letter, content *Content) (waits bool, err error) {
	var stored []models.Letter
	err = s.DB.WithContext(ctx).Raw(contentSQL, map[string]any{"id": l.ID, "subject": content.Subject,
		"text": content.Text, "html": content.HTML}).Scan(&stored).Error
	if err != nil {
		return false, fmt.Errorf("store the text of letter %s: %w", l.ID, err)
	}
	for _, first := range stored {
		content.Subject, content.Text, content.HTML = first.Subject, first.Text, first.HTML
	}
	return len(stored) > 0, nil
}
