package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// An admin whose session ends comes back to the page of a review after signing in. If another has decided it by then,
// the page leads to the list and says so, whatever the admin does on it.
func TestReviewsThatAnotherDecidedLeadToTheList(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss, colleague := f.member(f.users["admin"]), f.member(f.users["admin"])
	gone := f.users["other"]
	resumes := fmt.Sprintf("/en/admin/resumes/%d", gone)
	for statement, args := range map[string][]any{
		openResumesSQL: {gone, strings.Repeat("b", 26)},
		`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now() WHERE id = ?`: {gone},
	} {
		if err := f.db.Exec(statement, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	for page, unknown := range map[string]string{
		"/en/admin/events/{waiting}":   "/en/admin/events/evt_unknown",
		"/en/admin/findings/{finding}": "/en/admin/findings/999999",
		resumes:                        "/en/admin/resumes/999999",
	} {
		page = f.paths.Replace(page)
		if r, _ := boss.open(page); r.status != fiber.StatusOK {
			t.Fatalf("%s: status %d, want 200", page, r.status)
		}
		if r := colleague.post(page+"/close", url.Values{"note": {"Looked at it"}}); r.flash() != "decided_close" {
			t.Fatalf("%s: closing ends with status %d and %q, want decided_close", page, r.status, r.flash())
		}
		back, _ := boss.open(page + "?draft=x")
		for what, r := range map[string]reply{"back from signing in": back,
			"a form without a reason": boss.post(page+"/close", url.Values{"note": {""}})} {
			if r.status != fiber.StatusSeeOther || r.header.Get("Location") != "/en/admin" || r.flash() != "review_over" {
				t.Errorf("%s, %s: status %d to %q with %q, want the list with review_over", page, what, r.status,
					r.header.Get("Location"), r.flash())
			}
		}
		if r, _ := boss.open(unknown); r.status != fiber.StatusNotFound {
			t.Errorf("%s: status %d, want 404", unknown, r.status)
		}
	}
	if r := boss.post(resumes+"/retry", url.Values{}); r.flash() != "review_over" {
		t.Errorf("asking again for deleted resumes ends with status %d and %q, want review_over", r.status, r.flash())
	}
}
