package models

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// ConsentVersion names the wording of the statements that a buyer may make before ordering. A test demands a new
// version when a text changes.
const ConsentVersion = "2026-11"

// Consent is what a buyer declared with an order about its performance within the withdrawal period. It is stored with
// the purchase and never changes.
//
// Source: §§ 356 Abs. 4, 357a Abs. 2 BGB
type Consent struct {
	EarlyStart   bool      `json:"early_start"`  // the credits shall be usable before the period ends
	Compensation bool      `json:"compensation"` // credits used until a withdrawal are paid for
	Texts        []string  `json:"texts"`        // both statements as shown
	Version      string    `json:"version"`      // of the texts
	Hash         string    `json:"hash"`         // SHA-256 of the texts, in hexadecimal digits
	Locale       string    `json:"locale"`       // of the texts
	GivenAt      time.Time `json:"given_at"`
}

// NewConsent returns the buyer's statements, or nil when the buyer made none.
func NewConsent(earlyStart, compensation bool, locale string, texts []string, now time.Time) *Consent {
	if !earlyStart && !compensation {
		return nil
	}
	return &Consent{EarlyStart: earlyStart, Compensation: compensation, Texts: texts, Version: ConsentVersion,
		Hash: ConsentHash(texts), Locale: locale, GivenAt: now}
}

// ConsentHash returns the SHA-256 of the statements, each on a line of its own.
func ConsentHash(texts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hex.EncodeToString(sum[:])
}

// Complete reports whether the buyer made both statements, so that a withdrawal refunds only unused credits. Nil is
// incomplete.
func (c *Consent) Complete() bool { return c != nil && c.EarlyStart && c.Compensation }

// Same reports whether two orders declare the same.
func (c *Consent) Same(other *Consent) bool {
	if c == nil || other == nil {
		return c == other
	}
	return c.EarlyStart == other.EarlyStart && c.Compensation == other.Compensation
}

// Given returns the texts of the statements that the buyer made.
func (c *Consent) Given() (texts []string) {
	if c == nil {
		return nil
	}
	for i, given := range []bool{c.EarlyStart, c.Compensation} {
		if given && i < len(c.Texts) {
			texts = append(texts, c.Texts[i])
		}
	}
	return texts
}

// Value writes JSON as a string: in pgx's exec mode a []byte would arrive as bytea.
func (c Consent) Value() (driver.Value, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

// Scan reads the fields from jsonb.
func (c *Consent) Scan(value any) error { return scanJSON(value, c) }

// scanJSON reads a jsonb column into a value.
func scanJSON(column, into any) error {
	switch text := column.(type) {
	case string:
		return json.Unmarshal([]byte(text), into)
	case []byte:
		return json.Unmarshal(text, into)
	}
	return fmt.Errorf("read %T from jsonb: unexpected type %T", into, column)
}
