"""Where configuration, sealed secrets, tokens and approvals are kept."""
