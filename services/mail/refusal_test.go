package mail_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// refusesFirst is a session that answers the first message of all with code, and accepts the others.
type refusesFirst struct {
	recorder
	code int
}

func (r refusesFirst) Rcpt(string, *smtp.RcptOptions) error {
	if r.told.Load() > 1 {
		return nil
	}
	return &smtp.SMTPError{Code: r.code, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Not now"}
}

// A server that answers 421 is about to close the connection, so the other letters go over a new one. After any other
// refusal the connection serves them, too.
// Source: RFC 5321, section 3.8
func TestLettersAfterARefusal(t *testing.T) {
	t.Parallel()
	for code, connections := range map[int]int64{421: 2, 451: 1} {
		f := newFixture(t)
		var told, opened atomic.Int64
		address := startSMTP(t, nil, false, func(*smtp.Conn) (smtp.Session, error) {
			opened.Add(1)
			return refusesFirst{recorder{&told}, code}, nil
		})
		var err error
		if f.Server, err = mail.NewServer("smtp://" + address); err != nil {
			t.Fatal(err)
		}
		f.add("first")
		f.add("second")
		f.send()
		f.want("refused", "first", models.LetterWaiting, 1, models.CauseMailRefused.Of(strconv.Itoa(code)))
		f.want("after the refusal", "second", models.LetterSent, 1, "")
		if n := opened.Load(); n != connections {
			t.Errorf("%d connections after answer %d, want %d", n, code, connections)
		}
	}
}
