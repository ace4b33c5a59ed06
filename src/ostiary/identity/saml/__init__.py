"""A SAML 2.0 service provider: what it asks, and whom to believe of what is answered. Pure rules.

The faces are `metadata`, `request`, `response` and `profile`. They import lxml and signxml only once there is XML to
read, so that an installation without SAML does not hold them in memory.
"""
