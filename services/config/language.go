package config

// Language is the operator's, as a terminal tells programs: what LC_ALL, else LC_MESSAGES, else LANG says, such as
// de_AT.UTF-8; empty when none of them is set.
func Language(vars Variables) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := vars[name]; value != "" {
			return value
		}
	}
	return ""
}
