package logouts_test

import (
	"testing"

	"latchkey/internal/authtest"
)

func TestMain(m *testing.M) { authtest.Main(m) }
