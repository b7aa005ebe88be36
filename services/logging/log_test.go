package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/logging"
)

// hidden are texts that no log may hold, each in a sentence, with what has to be gone from it.
var hidden = map[string]struct{ text, gone string }{
	"an e-mail address":             {"user jane.o'neil+x@mail.example.com not found", "neil"},
	"an e-mail address of a host":   {"jane@localhost", "jane"},
	"an e-mail address in German":   {"Jürgen.Müßig@bücher.example fehlt", "Müßig"},
	"an e-mail address in a URL":    {`Get "https://api.example.com/v1/customers?email=jane%2Bx%40example.com&limit=1": timeout`, "jane"},
	"a live key":                    {"401 for sk_live_51Hq9aFq2LmZ", "9aFq2LmZ"},
	"a test key":                    {"key=sk_test_51Hq9aFq2LmZ,", "9aFq2LmZ"},
	"a restricted key":              {"(rk_live_51Hq9aFq2LmZ)", "9aFq2LmZ"},
	"a signing secret":              {"secret whsec_7Yt3kPwQ+/a= refused", "7Yt3kPwQ"},
	"a service key":                 {"key rmc_7Yt3-kPwQ_1 unknown", "kPwQ"},
	"a header":                      {"Authorization: Bearer 7Yt3kPwQ.x~y", "7Yt3kPwQ"},
	"a header in small letters":     {"authorization: bearer  7Yt3kPwQ", "7Yt3kPwQ"},
	"an ID token":                   {"token eyJhbGciOiJub25lIn0.eyJzdWIiOiI3WXQza1B3USJ9.c2ln bad", "eyJzdWIi"},
	"a database address":            {"dial postgres://app:7Yt3kPwQ@db.internal:5432/credits?x=1 failed", "7Yt3kPwQ"},
	"a database address in quotes":  {"cannot parse `postgresql://app:7Yt3kPwQ@db.internal/credits`: bad", "db.internal"},
	"a database password":           {"host=db user=app password='7Yt3 kPwQ' dbname=credits", "kPwQ"},
	"a parameter of a sign-in":      {"POST /token?client_secret=7Yt3kPwQ&code=1", "7Yt3kPwQ"},
	"a card number":                 {"card 4242424242424242 declined", "42424242"},
	"a card number in groups":       {"card 4242 4242 4242 4242 declined", "4242 4242"},
	"a card number with dashes":     {"card 3782-822463-10005 declined", "822463"},
	"an address beside another one": {"jane@example.com,john@example.com", "john"},
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for name, c := range hidden {
		t.Run("hides "+name, func(t *testing.T) {
			t.Parallel()
			if got := logging.Redact(c.text); strings.Contains(got, c.gone) || !strings.Contains(got, "[") {
				t.Errorf("redacted: got %q, want it without %q", got, c.gone)
			}
		})
	}
	for name, text := range map[string]string{
		"an id":                  "req_01939341-7c1e-7b52-9a4c-0f6e1d2c3b4a",
		"a Stripe object":        "cs_test_a1B2c3D4e5F6g7H8 evt_1Qx2Yz3A4b5C6d pi_3Qx2Yz3A4b5C6d",
		"an address of a page":   "GET /de/billing?success=true from 192.0.2.7:51234 at 2026-11-23T20:13:05.123456Z",
		"an amount":              "credits=1200 cents=3500 user_id=123456789012",
		"a private database":     "host=/tmp/pg-0a1b2c3d4e5f user=app dbname=app sslmode=disable",
		"a word like a key's":    "risk_test_case passed; the bearer of news",
		"a sentence with an at":  "met @ noon, 5 @ 3",
		"an error of PostgreSQL": `ERROR: duplicate key value violates unique constraint "users_email_key" (SQLSTATE 23505)`,
	} {
		t.Run("leaves "+name, func(t *testing.T) {
			t.Parallel()
			want := strings.ReplaceAll(text, "the bearer of news", "the Bearer [key] news") // said so: a net with small holes
			if got := logging.Redact(text); got != want {
				t.Errorf("redacted: got %q, want %q", got, want)
			}
		})
	}
}

func TestRedactCutsLongTexts(t *testing.T) {
	t.Parallel()
	const size = 1 << 15
	for name, c := range hidden {
		t.Run("and leaves no half of "+name, func(t *testing.T) {
			t.Parallel()
			for offset := 16<<10 - 60; offset < 17<<10; offset += 29 {
				text := strings.Repeat(" ", offset) + c.text
				got := logging.Redact(text + strings.Repeat(" ", size-len(text)))
				if strings.Contains(got, c.gone[:4]) || len(got) > 20<<10 || !strings.HasSuffix(got, "… (32768 bytes)") {
					t.Fatalf("at %d: %d bytes that end in %q", offset, len(got), got[max(0, len(got)-200):])
				}
			}
		})
	}
}

// record logs once in each format and returns both outputs.
func record(t *testing.T, write func(*slog.Logger)) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		write(logging.NewLogger(&out, slog.LevelDebug, format))
		got[format] = out.String()
	}
	return got
}

type person struct{ Name, Email string }

type stringer string

func (s stringer) String() string { return string(s) }

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue(string(v)) }

func TestLoggerRedacts(t *testing.T) {
	t.Parallel()
	address := "jane@example.com"
	for name, write := range map[string]func(*slog.Logger, string){
		"the message": func(l *slog.Logger, text string) { l.Info(text) },
		"a text":      func(l *slog.Logger, text string) { l.Info("m", "fact", text) },
		"an error":    func(l *slog.Logger, text string) { l.Error("m", "err", errors.New(text)) },
		"a wrapped error": func(l *slog.Logger, text string) {
			l.Error("m", "err",
				fmt.Errorf("spend: %w", errors.New(text)))
		},
		"joined errors": func(l *slog.Logger, text string) {
			l.Error("m", "err",
				errors.Join(errors.New("a"), errors.New(text)))
		},
		"a stringer": func(l *slog.Logger, text string) { l.Info("m", "fact", stringer(text)) },
		"a valuer":   func(l *slog.Logger, text string) { l.Info("m", "fact", valuer(text)) },
		"bytes":      func(l *slog.Logger, text string) { l.Info("m", "fact", []byte(text)) },
		"a slice":    func(l *slog.Logger, text string) { l.Info("m", "fact", []string{"a", text}) },
		"a map":      func(l *slog.Logger, text string) { l.Info("m", "fact", map[string]any{"a": text}) },
		"a struct":   func(l *slog.Logger, text string) { l.Info("m", "fact", person{"J", text}) },
		"a pointer":  func(l *slog.Logger, text string) { l.Info("m", "fact", &person{"J", text}) },
		"raw JSON": func(l *slog.Logger, text string) {
			b,
				_ := json.Marshal(text)
			l.Info("m", "fact", json.RawMessage(b))
		},
		"a group":            func(l *slog.Logger, text string) { l.Info("m", slog.Group("g", "fact", text)) },
		"what With added":    func(l *slog.Logger, text string) { l.With("fact", text).Info("m") },
		"what a group holds": func(l *slog.Logger, text string) { l.WithGroup("g").With("fact", text).Info("m") },
		"the request's id": func(l *slog.Logger, text string) {
			l.InfoContext(logging.WithRequestID(context.Background(), text), "m")
		},
	} {
		t.Run("in "+name, func(t *testing.T) {
			t.Parallel()
			for kind, c := range hidden {
				for format, got := range record(t, func(l *slog.Logger) { write(l, c.text) }) {
					if strings.Contains(got, c.gone) {
						t.Errorf("%s in %s: %s", kind, format, got)
					}
				}
			}
			for format, got := range record(t, func(l *slog.Logger) { write(l, address) }) {
				if !strings.Contains(got, "[e-mail]") {
					t.Errorf("%s does not say what was there: %s", format, got)
				}
			}
		})
	}
}

func TestLoggerKeepsOneLinePerRecord(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string]string{
		"a line feed": "a\nlevel=ERROR msg=forged", "a carriage return": "a\r\nlevel=ERROR msg=forged",
		"a line separator": "a\u2028b\u2029c",
		"colours":          "a\x1b[31mred\x1b[0m", "a zero byte": "a\x00b", "no UTF-8": "a\xff\xfe\n",
		"a megabyte": strings.Repeat("\n", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := record(t, func(l *slog.Logger) {
				l.Error(forged, "fact", forged, "err", errors.New(forged), "list", []string{forged}, "bytes", []byte(forged))
			})
			for format, got := range lines {
				if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\r\x00\x1b\u2028\u2029") {
					t.Errorf("%s is not one clean line: %.200q", format, got)
				}
			}
			if !json.Valid([]byte(lines["json"])) {
				t.Errorf("not JSON: %.200q", lines["json"])
			}
		})
	}
}

func TestLoggerWritesFacts(t *testing.T) {
	t.Parallel()
	ctx := logging.WithRequestID(context.Background(), "req_1")
	var missing *person
	var nothing error
	lines := record(t, func(l *slog.Logger) {
		l.With("kind", "purchase").InfoContext(ctx, "booked", "credits", 500, "paid", true, "list", []int{1, 2}, "who",
			missing, "err", nothing)
	})
	for _, want := range []string{"level=INFO", "msg=booked", "kind=purchase", "credits=500", "paid=true", `list="[1 2]"`,
		"request_id=req_1"} {
		if !strings.Contains(lines["text"], want) {
			t.Errorf("text lacks %s: %s", want, lines["text"])
		}
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines["json"]), &got); err != nil {
		t.Fatalf("parse: %v", err)
	}
	delete(got, "time")
	want := map[string]any{"level": "INFO", "msg": "booked", "kind": "purchase", "credits": 500.0, "paid": true,
		"list": []any{1.0, 2.0}, "who": nil, "err": nil, "request_id": "req_1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("json: got %v, want %v", got, want)
	}
}

func TestLoggerWithoutRequest(t *testing.T) {
	t.Parallel()
	for format, got := range record(t, func(l *slog.Logger) { l.Info("started") }) {
		if strings.Contains(got, "request_id") {
			t.Errorf("%s names a request where there is none: %s", format, got)
		}
	}
}

func TestLoggerLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logging.NewLogger(&out, slog.LevelWarn, "text")
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
		t.Errorf("log: got %q, want the warning alone", got)
	}
}
