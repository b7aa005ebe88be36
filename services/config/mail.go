package config

import (
	"net/mail"
	"net/url"
)

// Bounds of GOODWILL_DAYS. Within the withdrawal period of 14 days, buyers withdraw instead.
const (
	fewestGoodwillDays = 15
	mostGoodwillDays   = 3650
	goodwillBounds     = "must be 0, or a number from 15 to 3650: in the first 14 days, buyers can withdraw"
)

// checkGoodwill checks what is refunded on request.
func (c *Config) checkGoodwill(p *problems) {
	if c.GoodwillDays != 0 && (c.GoodwillDays < fewestGoodwillDays || c.GoodwillDays > mostGoodwillDays) {
		p.add("GOODWILL_DAYS", goodwillBounds)
	}
	if c.GoodwillPercent < 1 || c.GoodwillPercent > 100 {
		p.add("GOODWILL_UNUSED_PERCENT", "must be a number from 1 to 100")
	}
}

// checkMail checks the settings of letters. Without SMTP_URL none is sent.
func (c *Config) checkMail(p *problems) {
	if c.SMTPURL != "" {
		u, err := url.Parse(c.SMTPURL.Reveal())
		if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" ||
			c.Mode != Sandbox && unfilled(c.SMTPURL.Reveal()) {
			p.add("SMTP_URL", "must be a mail server such as smtp://user:password@mail.example.com:587")
		}
		if c.MailFrom == "" {
			p.add("MAIL_FROM", "must be set beside SMTP_URL: the address that letters come from")
		}
	}
	for name, address := range map[string]string{"MAIL_FROM": c.MailFrom, "SUPPORT_EMAIL": c.SupportEmail} {
		if address == "" {
			continue
		}
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			p.add(name, "must be an e-mail address such as credits@example.com")
		}
	}
}
