package letters

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// Sample is a letter for tests, and for development to look at.
type Sample struct {
	Name string // its kind, and its state where the kind has several
	Kind models.LetterKind
	Args any
}

// sampleTime is when what samples tell of happened.
var sampleTime = time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)

const samplePurchaseID = "01a224d7-0680-7125-84e7-7aab351f00a0"

// Samples has every kind of letter in each of its states. The name of their reader is Ada <Lovelace>.
var Samples = []Sample{
	{"withdrawal_received", models.LetterWithdrawalReceived, sampleWithdrawal("500 Credits <b>\nund mehr")},
	{"withdrawal_received.stranger", models.LetterWithdrawalReceived, sampleWithdrawal("")},
	{"purchase_paid", models.LetterPurchasePaid, samplePurchase(500, 520)},
	{"purchase_paid.consent", models.LetterPurchasePaid, consenting(samplePurchase(500, 520))},
	{"purchase_paid.held", models.LetterPurchasePaid, held(samplePurchase(500, 520))},
	{"credits_usable", models.LetterCreditsUsable, consenting(samplePurchase(500, 0))},
	{"debit_pending", models.LetterDebitPending, samplePurchase(0, 0)},
	{"debit_pending.held", models.LetterDebitPending, held(samplePurchase(0, 0))},
	{"debit_failed", models.LetterDebitFailed, samplePurchase(0, 0)},
	{"refunded", models.LetterRefunded, samplePurchase(-250, 270)},
	{"refunded.spent", models.LetterRefunded, samplePurchase(-500, -20)},
	{"refund_failed", models.LetterRefundFailed, samplePurchase(250, 520)},
	{"disputed", models.LetterDisputed, samplePurchase(-500, -20)},
	{"dispute_returned", models.LetterDisputeReturned, samplePurchase(500, 480)},
	{"withdrawal_refunded", models.LetterWithdrawalRefunded, mail.WithdrawalRefunded{Purchase: samplePurchase(0, 0),
		Paid: 2000, Refunded: 1200, PaidCurrency: "eur", Used: 200}},
	{"withdrawal_refunded.full", models.LetterWithdrawalRefunded, mail.WithdrawalRefunded{Purchase: samplePurchase(0, 0),
		Paid: 2000, Refunded: 2000, PaidCurrency: "eur", Full: true, Used: 200}},
	{"low_balance", models.LetterLowBalance, mail.LowBalanceReached{Balance: 9, Threshold: 10}},
	{"identity_linked", models.LetterIdentityLinked, mail.Access{At: sampleTime, Provider: "GitHub"}},
	{"identity_unlinked", models.LetterIdentityUnlinked, mail.Access{At: sampleTime, Provider: "GitHub"}},
	{"signed_in", models.LetterSignedIn, mail.Access{At: sampleTime, Device: "Firefox, Linux"}},
	{"account_deleted", models.LetterAccountDeleted, mail.AccountDeleted{At: sampleTime, Retained: true,
		Until: time.Date(2036, 12, 31, 0, 0, 0, 0, time.UTC), Refunds: []mail.Revenue{{Currency: "eur", Cents: 250}}}},
	{"operator_purchase", models.LetterOperatorPurchase, mail.InReview{ID: samplePurchaseID, Number: 1042, Cause: models.CauseAmount}},
	{"operator_event", models.LetterOperatorEvent, mail.InReview{ID: "evt_1SX4cT2eZvKYlo2C",
		Cause: models.CauseDisputeStatus.Of("odd")}},
	{"operator_dispute", models.LetterOperatorDispute, mail.DisputeOpened{ID: "du_1SX4cT2eZvKYlo2C",
		PurchaseID: samplePurchaseID, PurchaseNumber: 1042, Cents: 2000, Currency: "eur"}},
	{"operator_withdrawal", models.LetterOperatorWithdrawal, mail.WithdrawalDeclared{ID: samplePurchaseID,
		ReceivedAt: sampleTime}},
	{"operator_findings", models.LetterOperatorFindings, mail.FindingsFound{Findings: 3, Review: 1, FinishedAt: sampleTime}},
	{"operator_silence", models.LetterOperatorSilence, mail.EventMissing{Object: "cs_live_a1b2c3d4e5f6"}},
	{"operator_digest", models.LetterOperatorDigest, mail.Digest{Day: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC),
		Revenue: []mail.Revenue{{Currency: "eur", Cents: 123400}, {Currency: "usd", Cents: 500}},
		Sold:    30_000, Used: 21_045, Returned: 500, Waiting: 2, Unsent: 980}},
}

// Letter returns the sample as a stored letter.
func (s Sample) Letter(locale string) (models.Letter, error) {
	args, err := json.Marshal(s.Args)
	if err != nil {
		return models.Letter{}, fmt.Errorf("arguments of sample %s: %w", s.Name, err)
	}
	return models.Letter{Kind: s.Kind, Locale: locale, Args: args}, nil
}

// sampleReader is who a sample is addressed to.
var sampleReader = mail.Recipient{Name: "Ada <Lovelace>"}

// WriteSample composes a sample.
func (s Site) WriteSample(sample Sample, locale string) (mail.Content, error) {
	letter, err := sample.Letter(locale)
	if err != nil {
		return mail.Content{}, err
	}
	return s.Write(letter, sampleReader)
}

func samplePurchase(moved, balance models.Credits) mail.Purchase {
	return mail.Purchase{ID: samplePurchaseID, Number: 1042,
		OrderedAt: sampleTime, Credits: 500, Cents: 2000, Currency: "eur", Moved: moved,
		Balance: balance}
}

func consenting(p mail.Purchase) mail.Purchase {
	p.Consent = models.NewConsent(true, true, "de", []string{"Ich verlange das.", "Ich weiß das."}, p.OrderedAt)
	return p
}

func held(p mail.Purchase) mail.Purchase {
	until := time.Date(2026, 12, 12, 23, 0, 0, 0, time.UTC)
	p.UsableFrom = &until
	return p
}

func sampleWithdrawal(contract string) mail.WithdrawalReceived {
	w := mail.WithdrawalReceived{ID: samplePurchaseID,
		ReceivedAt: time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC)}
	if contract != "" {
		w.Contract, w.Name, w.Email = contract, "Ada Lovelace", "ada@example.com"
	}
	return w
}
