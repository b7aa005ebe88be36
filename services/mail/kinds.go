package mail

import "time"

// The arguments of the kinds of letters.

// WithdrawalReceived are those of models.LetterWithdrawalReceived.
type WithdrawalReceived struct {
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"received_at"`

	// Contract, Name and Email are as the consumer wrote them; empty when the letter must not repeat them.
	Contract string `json:"contract,omitempty"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
}
