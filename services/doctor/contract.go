package doctor

import (
	"context"
	"strings"

	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
)

// checkMail checks that the mail server takes our letters.
func (s *SetUp) checkMail(ctx context.Context) []Check {
	const area = area("doctor.area.mail")
	switch {
	case s.sandbox() || s.hasProblem("SMTP_URL") || s.hasProblem("MAIL_FROM"):
		return nil // the sandbox has its own; another check reports a problem
	case s.Config.SMTPURL == "" && s.Config.Strict():
		return area.red("doctor.mail.none", nil)
	case s.Config.SMTPURL == "":
		return area.warning("doctor.mail.none", nil)
	}
	server, err := mail.NewServer(s.Config.SMTPURL.Reveal())
	if err == nil {
		limit, cancel := limited(ctx)
		defer cancel()
		err = server.Check(limit)
	}
	if err != nil {
		return area.red("doctor.mail.away", facts{"reason": err.Error()})
	}
	return area.ok("doctor.mail.ok", facts{"from": s.Config.MailFrom})
}

// checkLetter sends the test letter that was asked for. No log or finding repeats its address.
func (s *SetUp) checkLetter(ctx context.Context) []Check {
	const area = area("doctor.area.letter")
	switch {
	case s.Letter == nil:
		return nil
	case s.sandbox() || s.Config.SMTPURL == "" || s.hasProblem("SMTP_URL") || s.hasProblem("MAIL_FROM"):
		return area.red("doctor.letter.no_server", nil)
	case s.Letter.To == "":
		return area.red("doctor.letter.no_address", nil)
	}
	server, err := mail.NewServer(s.Config.SMTPURL.Reveal())
	if err != nil {
		return area.red("doctor.letter.refused", facts{"reason": err.Error()})
	}
	limit, cancel := limited(ctx)
	defer cancel()
	answer, err := server.SendTest(limit, s.Config.MailFrom, s.Letter.To,
		mail.Content{Subject: s.Letter.Subject, Text: s.Letter.Text})
	if err != nil {
		return area.red("doctor.letter.refused", facts{"reason": err.Error()})
	}
	return area.ok("doctor.letter.sent", facts{"answer": answer})
}

// checkLegal checks that the mandatory legal texts are there.
func (s *SetUp) checkLegal(context.Context) []Check {
	const area = area("doctor.area.legal")
	if s.sandbox() {
		return nil
	}
	library, err := legal.Load(s.Config.LegalDir, legal.Seller{Name: s.Config.SellerName, Address: s.Config.SellerAddress,
		Email: s.Config.SupportEmail, AppURL: s.Config.AppURL})
	if err != nil {
		return area.red("doctor.legal.unreadable", facts{"reason": err.Error()})
	}
	var missing []string
	for _, text := range []struct {
		kind   legal.Kind
		url    string
		remedy string
	}{
		{legal.Imprint, s.Config.ImprintURL, "IMPRINT_URL"}, {legal.Terms, s.Config.TermsURL, "TERMS_URL"},
		{legal.Privacy, s.Config.PrivacyURL, "PRIVACY_URL"},
		{legal.Withdrawal, "", "SELLER_NAME, SELLER_ADDRESS, SUPPORT_EMAIL"},
	} {
		if _, ok := library.Document(text.kind, "de"); !ok && text.url == "" {
			missing = append(missing, text.remedy)
		}
	}
	names := facts{"settings": strings.Join(missing, ", ")}
	switch {
	case len(missing) > 0 && s.Config.Strict():
		return area.red("doctor.legal.missing", names)
	case len(missing) > 0:
		return area.warning("doctor.legal.missing", names)
	}
	return area.ok("doctor.legal.ok", nil)
}
