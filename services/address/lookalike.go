package address

import (
	"slices"
	"strings"
	"unicode"
)

// LooksLikeAnother reports whether a reader could take an address for another one: a part of it mixes scripts, or all its
// letters are of another script and have a twin in ASCII (аррӏе in Cyrillic), or it holds a Latin letter that is read as
// an ASCII one. An umlaut is none of these, and neither is a name in another script.
// Source: UTS 39 (mixed scripts, whole-script confusables), reduced to what an e-mail address can hold.
func LooksLikeAnother(email string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(email, func(r rune) bool { return r == '@' || r == '.' }), confusable)
}

// twins are the lower-case letters of other scripts, Cyrillic, Greek and Armenian, that most fonts draw as a Latin one.
const twins = "аеорсухіјѕһԁԛԝӏьгк" + "αονρτυιϲϳκωγχ" + "օոսհցզ"

// latinTwins are the Latin letters and the digits beyond ASCII that are read as ASCII ones.
const latinTwins = "ıſɡɩʟ" + "ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ０１２３４５６７８９"

// eastAsian are the scripts that are written together, and with Latin words between them.
var eastAsian = []string{"Latin", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// confusable judges one part of an address.
func confusable(part string) bool {
	if strings.ContainsAny(part, latinTwins) {
		return true
	}
	var scripts []string
	alone := true // no letter but twins
	for _, r := range part {
		script := scriptOf(r)
		if script == "" {
			continue
		}
		alone = alone && strings.ContainsRune(twins, r)
		if !slices.Contains(scripts, script) {
			scripts = append(scripts, script)
		}
	}
	strange := func(script string) bool { return !slices.Contains(eastAsian, script) }
	return len(scripts) > 1 && slices.ContainsFunc(scripts, strange) || len(scripts) > 0 && alone
}

// scriptOf names the script of a letter; "" for digits and signs, which belong to all.
func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
