package handlers

import "testing"

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "thanks": "thanks", "a=b": "a=b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "＝1": "'＝1", "ä": "ä",
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}
