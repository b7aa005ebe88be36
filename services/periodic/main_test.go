package periodic_test

import (
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
