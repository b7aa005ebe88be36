package stripe

// The states of a dispute. Those with a warning are inquiries, which move no money.
const (
	disputeOpen          = "needs_response"
	disputeReview        = "under_review"
	disputeWon           = "won"
	disputeLost          = "lost"
	disputeWarning       = "warning_needs_response"
	disputeWarningReview = "warning_under_review"
	disputeWarningClosed = "warning_closed"
)

// dispute is a payment that the buyer's bank claims back.
type dispute struct {
	ID                   string          `json:"id"`
	Amount               int64           `json:"amount"`
	BalanceTransactions  []transaction   `json:"balance_transactions"`
	Charge               string          `json:"charge"`
	Created              int64           `json:"created"`
	Currency             string          `json:"currency"`
	EvidenceDetails      evidenceDetails `json:"evidence_details"`
	IsChargeRefundable   bool            `json:"is_charge_refundable"`
	PaymentIntent        *string         `json:"payment_intent"`
	PaymentMethodDetails *disputedMethod `json:"payment_method_details,omitempty"`
	Reason               string          `json:"reason"`
	Status               string          `json:"status"`
}

func (d *dispute) ref() (string, string) { return kindDispute, d.ID }

type evidenceDetails struct {
	DueBy           *int64 `json:"due_by"`
	HasEvidence     bool   `json:"has_evidence"`
	PastDue         bool   `json:"past_due"`
	SubmissionCount int64  `json:"submission_count"`
}

type disputedMethod struct {
	Card disputedCard `json:"card"`
	Type string       `json:"type"`
}

type disputedCard struct {
	Brand             string  `json:"brand"`
	CaseType          string  `json:"case_type"`
	NetworkReasonCode *string `json:"network_reason_code"`
}

// transaction is a change of the merchant's balance, as a dispute lists it.
type transaction struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Amount            int64    `json:"amount"`
	AvailableOn       int64    `json:"available_on"`
	Created           int64    `json:"created"`
	Currency          string   `json:"currency"`
	Description       string   `json:"description"`
	ExchangeRate      *float64 `json:"exchange_rate"`
	Fee               int64    `json:"fee"`
	FeeDetails        []string `json:"fee_details"`
	Net               int64    `json:"net"`
	ReportingCategory string   `json:"reporting_category"`
	Source            string   `json:"source"`
	Status            string   `json:"status"`
	Type              string   `json:"type"`
}
