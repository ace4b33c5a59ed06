"""Harness shared by the attack and journey suites: raw peers, a real installation, the leak oracle."""
