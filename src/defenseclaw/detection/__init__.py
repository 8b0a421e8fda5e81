"""Events become findings: pure, linear, without a clock. Start at :mod:`.engine`."""
