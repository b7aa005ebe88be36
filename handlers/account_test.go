package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
)

// member is a signed-in browser.
type member struct {
	*fixture
	cookie string
}

func (f *fixture) member(userID int64) member { return member{f, f.signIn(userID)} }

func (m member) open(path string) (reply, *goquery.Document) {
	m.t.Helper()
	r := m.call("GET", path, "", "Cookie: "+m.cookie)
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
	if err != nil {
		m.t.Fatal(err)
	}
	return r, doc
}

// post sends a form with the session's token.
func (m member) post(path string, form url.Values) reply {
	m.t.Helper()
	_, id, _ := strings.Cut(m.cookie, "=")
	form.Set("_csrf", m.handler.Sessions.token(&models.Session{Key: id}))
	return m.call("POST", path, form.Encode(), "Content-Type: application/x-www-form-urlencoded", "Cookie: "+m.cookie)
}

func TestAccountPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.user("ada@example.com", 0)
	here, there := f.member(ada.ID), f.member(ada.ID)

	t.Run("saves name and language and redirects in that language", func(t *testing.T) {
		for range 2 {
			r := here.post("/en/account", url.Values{"name": {" Ada <b> "}, "locale": {"de"}})
			if r.status != 303 || r.header.Get("Location") != "/de/account" {
				t.Fatalf("status %d to %q, want 303 to the German page", r.status, r.header.Get("Location"))
			}
		}
		_, doc := here.open("/de/account")
		if got := doc.Find("#name").AttrOr("value", ""); got != "Ada <b>" {
			t.Errorf("name = %q, want %q", got, "Ada <b>")
		}
		if r := here.call("GET", "/", "", "Cookie: "+here.cookie, "Accept-Language: en"); r.header.Get("Location") != "/de" {
			t.Errorf("/ redirects to %q, want /de, the chosen language", r.header.Get("Location"))
		}
		if r, doc := here.open("/en/account"); r.status != 200 || doc.Find("#locale-de[checked]").Length() != 1 {
			t.Errorf("status %d, want 200 with German still chosen after the language switch", r.status)
		}
	})
	t.Run("shows an error beside the name and keeps the input", func(t *testing.T) {
		for _, name := range []string{"", " ", strings.Repeat("x", 201), strings.Repeat("x", 10_000), "a\u202eb"} {
			r := here.post("/de/account", url.Values{"name": {name}, "locale": {"en"}})
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
			if err != nil || r.status != 422 || doc.Find("#name-error").Length() != 1 ||
				doc.Find("#name[aria-invalid=true]").AttrOr("value", "-") != name ||
				doc.Find("#locale-en[checked]").Length() != 1 {
				t.Errorf("%.20q: status %d, want 422 with the input kept", name, r.status)
			}
		}
	})
	t.Run("requires the session's token", func(t *testing.T) {
		r := here.call("POST", "/de/account", "name=Eve&locale=de", "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+here.cookie)
		if r.status != 403 {
			t.Errorf("status = %d, want 403", r.status)
		}
	})
	t.Run("ends one session, then all", func(t *testing.T) {
		_, doc := here.open("/en/account")
		ends := doc.Find("#sessions li form")
		if ends.Length() != 1 || doc.Find("#sessions li .badge").Length() != 1 {
			t.Fatalf("%d sessions can be ended, want 1, the other one", ends.Length())
		}
		for range 2 {
			if r := here.post(ends.AttrOr("action", ""), url.Values{}); r.status != 303 {
				t.Errorf("status = %d, want 303", r.status)
			}
		}
		if r, _ := there.open("/en/account"); r.status != 303 || !strings.Contains(r.header.Get("Location"), "/login") {
			t.Errorf("the ended session: status %d, want 303 to the sign-in", r.status)
		}
		if r := here.post("/en/account/sessions/end", url.Values{}); r.status != 303 {
			t.Errorf("status = %d, want 303", r.status)
		}
		const back = "/en/login?return_to=%2Fen%2Faccount%3Fdraft%3D"
		r := here.post("/en/account", url.Values{"name": {"Late"}, "locale": {"en"}})
		if d, _ := f.drafted(r); r.status != 303 || r.flash() != "session_over" || r.header.Get("Location") != back+d.ID {
			t.Errorf("a form from before the sign-out: status %d to %s with %q, want the sign-in and a draft", r.status,
				r.header.Get("Location"), r.flash())
		}
	})
}

func TestUserCannotEndAnothersSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada, bob := f.member(f.user("ada@example.com", 0).ID), f.member(f.user("bob@example.com", 0).ID)
	_, id, _ := strings.Cut(ada.cookie, "=")
	bob.post("/en/account/sessions/"+f.handler.Sessions.rows.KeyHash(id)+"/end", url.Values{})
	if r, _ := ada.open("/en/account"); r.status != 200 {
		t.Errorf("status %d after another user's request to end the session, want 200", r.status)
	}
}

func TestSignInElsewhereIsShownOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.user("ada@example.org", 0).ID
	her := f.member(id)
	f.member(id)
	for visit, want := range []int{1, 0} {
		her.open("/en/none") // an error page leaves the notice to the next page
		if _, doc := her.open("/en/account"); doc.Find("#elsewhere").Length() != want {
			t.Errorf("visit %d: %d notices of the other sign-in, want %d", visit+1, doc.Find("#elsewhere").Length(), want)
		}
	}
}

// A form with the session's token is refused when a browser says that another site's page sent it, also one of another
// host of the same site. Programs, old browsers and what a person typed or bookmarked pass.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.member(f.user("ada@example.com", 0).ID)
	_, id, _ := strings.Cut(ada.cookie, "=")
	form := url.Values{"name": {"Ada"}, "locale": {"en"}, "_csrf": {f.handler.Sessions.token(&models.Session{Key: id})}}
	for header, want := range map[string]int{
		"Sec-Fetch-Site: cross-site": 403, "Sec-Fetch-Site: same-site": 403, "Sec-Fetch-Site: invented": 403,
		"Origin: https://evil.example": 403, "Origin: null": 403,
		"Sec-Fetch-Site: same-origin": 303, "Sec-Fetch-Site: none": 303, "Accept: text/html": 303,
	} {
		r := ada.call("POST", "/en/account", form.Encode(), "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+ada.cookie, header)
		if r.status != want {
			t.Errorf("%s: status %d, want %d", header, r.status, want)
		}
	}
}
