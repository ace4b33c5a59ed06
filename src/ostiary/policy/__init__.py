"""May they? Rules, evaluated to a Decision that always says why."""
