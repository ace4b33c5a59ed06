"""Refusals of the OAuth endpoints, in the words of RFC 6749 and those that extend it."""

from ostiary.model.errors import CallerError


class OAuthError(CallerError):
    """`error` is a code of RFC 6749, 7009, 8628, 8693 or 9449; `description` repeats nothing that was sent.

    `redirect_to` is the client's address with the error in it, where RFC 6749 (section 4.1.2.1) tells the client so.
    """

    code = "oauth"

    def __init__(
        self,
        error: str,
        description: str,
        status: int = 400,
        *,
        retry_after_s: float | None = None,
        redirect_to: str | None = None,
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.retry_after_s = retry_after_s
        self.redirect_to = redirect_to

    def document(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"error": self.error, "error_description": self.description}

    def headers(self) -> dict[str, str]:
        """Of the answer, beside those that every answer of these endpoints has."""
        return {} if self.retry_after_s is None else {"retry-after": str(max(1, round(self.retry_after_s + 0.5)))}
