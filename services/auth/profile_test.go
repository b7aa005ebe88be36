package auth

import (
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		" Ada Lovelace ":         "Ada Lovelace",
		"Ada\r\nLog: line\x00":   "AdaLog: line",
		"Ada\u202eecalevoL":      "AdaecalevoL",
		"A\xffda":                "Ada",
		"李 小龙":                   "李 小龙",
		strings.Repeat("ä", 300): strings.Repeat("ä", 200),
		"":                       "",
	} {
		if got := cleanName(raw); got != want {
			t.Errorf("%+q: got %+q, want %+q", raw, got, want)
		}
	}
}
