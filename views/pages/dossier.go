package pages

import "github.com/resume-matcher/credits/models"

// letterName returns the subject of a letter or, before it is sent, its kind.
func letterName(l models.Letter) string {
	if l.Subject == "" {
		return string(l.Kind)
	}
	return l.Subject
}
