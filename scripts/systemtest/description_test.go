package systemtest

import "testing"

func testDescription(t *testing.T, s *stack, p *postgres) {}
