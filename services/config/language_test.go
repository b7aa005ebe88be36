package config_test

import (
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{"LANG": "de_DE.UTF-8"}, "de_DE.UTF-8"},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en_GB.UTF-8"},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_GB.UTF-8", "LC_ALL": "C"}, "C"},
	} {
		if got := config.Language(with(c.env)); got != c.want {
			t.Errorf("language of %v: got %q, want %q", c.env, got, c.want)
		}
	}
}
