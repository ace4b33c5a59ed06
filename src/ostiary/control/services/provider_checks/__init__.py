"""What can be said of an issuer before anybody signs in with it."""
