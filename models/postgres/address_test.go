package postgres_test

import (
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestAddressesKeepTheirParameters(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	for parameters, want := range map[string]string{
		"&application_name=Resume%20Matcher": "Resume Matcher",
		"&application_name=a+b":              "a+b",
		"&application_name=100%25":           "100%",
		"&pgbouncer=true&application_name=Resume%20Matcher&connection_limit=5":       "Resume Matcher",
		"&search_path=public&schema=public&application_name=Resume%20Matcher":        "Resume Matcher",
		"&options=-c%20application_name%3DFromOptions%20-c%20work_mem%3D8MB":         "FromOptions",
		"&options=-c%20geqo%3Doff&application_name=Resume%20Matcher&sslmode=disable": "Resume Matcher",
	} {
		var got string
		err := open(t, address+parameters).Raw(`SELECT current_setting('application_name')`).Scan(&got).Error
		if err != nil || got != want {
			t.Errorf("application name with %s = %q (%v), want %q", parameters, got, err, want)
		}
	}
}
