"""Who is asking: token and claim checks. Pure rules."""
