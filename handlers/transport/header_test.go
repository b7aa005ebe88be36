package transport

import "testing"

func TestWellFormed(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "\r\n", "Host: x\r\n\r\n",
		"Host:x\r\nX-Empty:\r\nx_y!#$%&'*+-.^`|~9: a:b\r\n\r\n"} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/1.0"} {
			if !WellFormed([]byte(protocol), []byte(header)) {
				t.Errorf("WellFormed(%q, %q) = false, want true", protocol, header)
			}
		}
	}
	for _, protocol := range []string{"HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", ""} {
		if WellFormed([]byte(protocol), []byte("Host: x\r\n\r\n")) {
			t.Errorf("WellFormed(%q) = true, want false", protocol)
		}
	}
	for name, header := range map[string]string{
		"a folded line":            "Host: x\r\nX: a\r\n b\r\n\r\n",
		"a line folded by a tab":   "Host: x\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
		"a space at the start":     " Host: x\r\n\r\n",
		"a space in a name":        "Host: x\r\nX Y: z\r\n\r\n",
		"a space before the colon": "Host: x\r\nContent-Length : 5\r\n\r\n",
		"no name":                  "Host: x\r\n: y\r\n\r\n",
		"no colon":                 "Host: x\r\ny\r\n\r\n",
		"a bare LF":                "Host: x\nY: z\r\n\r\n",
		"a bare LF at the end":     "Host: x\r\n\n",
		"no end":                   "Host: x",
		"text after the end":       "Host: x\r\n\r\nY: z\r\n",
	} {
		if WellFormed([]byte("HTTP/1.1"), []byte(header)) {
			t.Errorf("WellFormed with %s = true, want false", name)
		}
	}
}
