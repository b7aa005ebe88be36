package stripe_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// press submits the form of a button as a browser does, and follows the redirect.
func (s *fixture) press(t *testing.T, p page, button string) page {
	t.Helper()
	pressed := p.doc.Find(button)
	if pressed.Length() != 1 {
		t.Fatalf("got %d buttons %s", pressed.Length(), button)
	}
	form := pressed.Closest("form")
	values := url.Values{}
	form.Find("input").Each(func(_ int, input *goquery.Selection) {
		values.Set(input.AttrOr("name", ""),
			input.AttrOr("value", ""))
	})
	if name := pressed.AttrOr("name", ""); name != "" {
		values.Set(name, pressed.AttrOr("value", ""))
	}
	sent := s.post(t, form.AttrOr("action", ""), values)
	if sent.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s: got %d, want 303", button, sent.StatusCode)
	}
	return s.get(t, sent.Header.Get("Location"))
}

// offered returns the buttons of a page, without the object's identifier.
func (p page) offered(t *testing.T, within string) string {
	t.Helper()
	var all []string
	p.doc.Find(within + " button").Each(func(_ int, one *goquery.Selection) {
		if strings.TrimSpace(one.Text()) == "" {
			t.Errorf("button %s says nothing", one.AttrOr("id", ""))
		}
		name, _, _ := strings.Cut(one.AttrOr("id", ""), "-")
		all = append(all, name)
	})
	return strings.Join(all, " ")
}

func TestPaymentPageOffersPossibleActions(t *testing.T) {
	t.Parallel()
	s := start(t)
	shown := s.get(t, "/dashboard/payments/"+s.debit(t).PaymentIntent.ID)
	if got := shown.offered(t, "section"); got != "succeed fail delete" {
		t.Errorf("a debit offers %s", got)
	}
	if shown.doc.Find("#dispute").Length() != 0 {
		t.Error("a debit that is not paid can be disputed")
	}
	shown = s.press(t, shown, "[id^=succeed-pi_]")
	if shown.text("#done") != "The bank has paid." || shown.text("#state") != "paid" ||
		shown.offered(t, "section") != "delete" {
		t.Errorf("%s, %s, offers %s", shown.text("#done"), shown.text("#state"), shown.offered(t, "section"))
	}
	if shown = s.press(t, shown, "#delete-customer"); shown.offered(t, "section") != "" {
		t.Errorf("a customer who is gone is offered: %s", shown.offered(t, "section"))
	}

	shown = s.get(t, "/dashboard/payments/"+s.buy(t).ID)
	stale := shown
	shown = s.press(t, shown, "#refund-later")
	if got := shown.offered(t, "#refunds"); got != "succeed fail cancel" {
		t.Errorf("a refund on its way offers %s", got)
	}
	if shown.doc.Find("#refund").Length() != 0 || shown.text("#refunded") != "€40.00" {
		t.Errorf("a payment refunded in full offers more, or does not say so: %s", shown.text("#refunded"))
	}
	if again := s.press(t, stale, "#refund-later"); !strings.Contains(again.text("#error"), "changed in the meantime") {
		t.Errorf("the same form twice: %s", again.text("#error"))
	}
	shown = s.press(t, shown, "#refunds [id^=succeed-]")
	if got := shown.offered(t, "#refunds"); got != "fail" {
		t.Errorf("a refund that arrived offers %s", got)
	}
	shown = s.press(t, shown, "#refunds [id^=fail-]")
	if got := shown.text("#refunds .state"); got != "failed" || shown.text("#refunded") != "€0.00" ||
		shown.doc.Find("#refund").Length() != 1 {
		t.Errorf("refund: got %s, sum %s", got, shown.text("#refunded"))
	}
	for _, one := range []struct{ press, offers string }{
		{"#dispute-inquiry", "review escalate close"}, {"#disputes [id^=escalate-]", "review win lose"},
		{"#disputes [id^=review-]", "win lose"},
		{"#disputes [id^=lose-]", "win"}, {"#disputes [id^=win-]", ""},
	} {
		if shown = s.press(t, shown, one.press); shown.offered(t, "#disputes") != one.offers ||
			shown.doc.Find("#done").Length() != 1 {
			t.Errorf("after %s: %s, want %s", one.press, shown.offered(t, "#disputes"), one.offers)
		}
	}
	if got := s.get(t, "/dashboard/payments/pi_unknown").StatusCode; got != http.StatusNotFound {
		t.Errorf("unknown payment: got %d, want 404", got)
	}
}

func TestDashboardListsOpenSessions(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	shown := s.get(t, "/dashboard")
	if got := shown.doc.Find("#open a").AttrOr("href", ""); got != "/c/pay/"+session.ID {
		t.Errorf("open checkout: got %s", got)
	}
	shown = s.press(t, shown, "#expire-"+session.ID)
	if shown.doc.Find("#open").Length() != 0 || shown.text("#done") != "The payment page has expired." {
		t.Errorf("after it expired: %s", shown.text("#done"))
	}
}

func TestExpireFromTheHostedPage(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	if shown := s.press(t, s.get(t, session.URL), "#expire"); shown.text("h1") != "Diese Bezahlseite ist abgelaufen" {
		t.Errorf("page: got %s", shown.text("h1"))
	}
}
