// Package mail stores letters in the transaction that gives rise to them, and hands them to the operator's mail server
// afterwards.
package mail

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Letter is a letter to write.
type Letter struct {
	Kind  models.LetterKind
	About string // the row that it is about; a second letter of the kind about it is not stored

	UserID    *int64 // whom it concerns, and who receives it unless there is a Recipient
	Recipient string // the address to write to; without it and a user, the letter goes to the operator
	Locale    string // of the letter, unless it goes to a user who has chosen a language
	Args      any    // what the text says; marshals to a JSON object without an address, unless that is its content
}

// Add stores a letter, to be sent once tx has committed.
//
// Letters to the operator beyond twenty of a kind an hour are not sent; the digest counts them.
//
// Idempotent: by kind and About. Locks: none.
func Add(tx models.Tx, l Letter) error {
	s, err := l.Statement()
	if err == nil {
		err = postgres.Pipeline(tx.DB, s)
	}
	if err != nil {
		return fmt.Errorf("store letter %s about %s: %w", l.Kind, l.About, err)
	}
	return nil
}

// Statement is what Add runs, for a pipeline.
func (l Letter) Statement() (s postgres.Statement, err error) {
	args, err := json.Marshal(l.Args)
	if err != nil {
		return s, fmt.Errorf("arguments of letter %s: %w", l.Kind, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return s, fmt.Errorf("letter id: %w", err)
	}
	if l.Args == nil {
		args = []byte("{}")
	}
	if l.Kind.ToOperator() {
		return postgres.Statement{SQL: `SELECT operator_letter(@kind, @key, @args)`,
			Args: []any{map[string]any{"kind": l.Kind, "key": l.About, "args": string(args)}}}, nil
	}
	return postgres.Statement{SQL: `INSERT INTO letters (id, kind, key, user_id, recipient, locale, args)
		VALUES (@id, @kind, @key, @user, @recipient,
			coalesce((SELECT nullif(locale, '') FROM users WHERE id = @user AND @recipient = ''), nullif(@locale, ''), @default), @args)
		ON CONFLICT (kind, key) DO NOTHING`,
		Args: []any{map[string]any{"id": id, "kind": l.Kind, "key": l.About, "user": l.UserID, "recipient": l.Recipient,
			"locale": l.Locale, "default": models.Locales[0], "args": string(args)}}}, nil
}

// ForgetSQL is the beginning of a statement that erases what letters say and whom they were sent to. A letter that has
// not been sent then never is.
const ForgetSQL = `UPDATE letters SET status = CASE status WHEN 'waiting' THEN 'dropped' ELSE status END,
	recipient = '', args = '{}', subject = '', text = '', html = ''`

// messageID derives the Message-ID from the letter's id, so that servers recognize a letter that is sent again because
// the answer to the first attempt was lost.
func messageID(l models.Letter, from string) string {
	_, domain, _ := strings.Cut(from, "@")
	return l.ID.String() + "@" + domain
}
