package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/seal"
)

var (
	first  = []byte("first secret of the test, 32 byte")
	second = []byte("other secret of the test, 32 byte")
)

func TestOpensWhatItSealed(t *testing.T) {
	t.Parallel()
	s := seal.Secrets{first}
	for _, text := range []string{"", "a", strings.Repeat("long ", 1000)} {
		sealed := s.Seal("flow", []byte(text))
		if got, ok := s.Open("flow", sealed); !ok || string(got) != text {
			t.Errorf("opened %q, %v, want %q", got, ok, text)
		}
		if len(text) > 1 && strings.Contains(sealed, text) {
			t.Errorf("%q can be read in %q", text, sealed)
		}
		if sealed == s.Seal("flow", []byte(text)) {
			t.Errorf("%q was sealed twice alike", text)
		}
	}
}

func TestRefusesWhatItDidNotSeal(t *testing.T) {
	t.Parallel()
	s := seal.Secrets{first}
	sealed := s.Seal("flow", []byte("text"))
	for name, text := range map[string]string{
		"nothing": "", "no base64": "!", "too short": "YQ", "cut": sealed[:len(sealed)-4], "longer": sealed + "AAAA",
		"changed": "A" + sealed[1:], "another secret's": seal.Secrets{second}.Seal("flow", []byte("text")),
		"another purpose's": s.Seal("other", []byte("text")),
	} {
		if name == "changed" && sealed[0] == 'A' {
			text = "B" + sealed[1:]
		}
		if got, ok := s.Open("flow", text); ok {
			t.Errorf("%s: opened as %q", name, got)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	old, rotated, done := seal.Secrets{first}, seal.Secrets{second, first}, seal.Secrets{second}
	sealed, mac := old.Seal("flow", []byte("text")), old.Sum("text")
	if _, ok := rotated.Open("flow", sealed); !ok || !rotated.Verify("text", mac) {
		t.Error("what the old secret made is not good while the secret is rotated")
	}
	if _, ok := done.Open("flow", sealed); ok || done.Verify("text", mac) {
		t.Error("what the old secret made is good after the secret is gone")
	}
	if _, ok := done.Open("flow", rotated.Seal("flow", []byte("text"))); !ok ||
		!bytes.Equal(rotated.Sum("text"), done.Sum("text")) {
		t.Error("the first secret is not the one that seals and hashes")
	}
	if sums := rotated.Sums("text"); len(sums) != 2 || !bytes.Equal(sums[1], mac) {
		t.Errorf("sums = %x", sums)
	}
	if rotated.Verify("text", nil) || rotated.Verify("other", mac) {
		t.Error("verified a wrong hash, want a refusal")
	}
}
