package auth

import "strings"

// Substrings of the User-Agent header and the names they stand for. The first match wins: most browsers also claim to
// be Chrome, and Chrome claims to be Safari.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"},
		{"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// Device reduces a User-Agent header to the names of browser and system, "" if it knows neither.
func Device(userAgent string) string {
	var words []string
	for _, known := range [][][2]string{browsers, systems} {
		for _, pair := range known {
			if strings.Contains(userAgent, pair[0]) {
				words = append(words, pair[1])
				break
			}
		}
	}
	return strings.Join(words, ", ")
}
