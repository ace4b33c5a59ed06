"""Every failure a person can meet: whose fault it is, a stable code, a sentence, and what to do next."""


class OstiaryError(Exception):
    """Root of all errors. `str()` is the public sentence; `next_step` says what to do about it."""

    code = "internal"

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.sentence} {self.next_step}".strip()


class CallerError(OstiaryError):
    """The one who asked can mend it."""

    code = "bad_request"


class OperatorError(OstiaryError):
    """Whoever runs this installation can mend it: configuration, files, disks, keys."""

    code = "configuration"


class RefusedError(OstiaryError):
    """Understood and not permitted."""

    code = "denied"


class SignInRefusedError(RefusedError):
    """Somebody did not prove who they are. `reason` is for the audit log: one word of `identity`'s own, never a value
    that was presented. People see the same sentence for whatever was wrong with a proof (G21)."""

    code = "sign_in_refused"

    def __init__(self, reason: str, sentence: str = "", next_step: str = "") -> None:
        super().__init__(
            sentence or "The sign-in was not accepted.",
            next_step
            or "Start it again; if it fails again, ask whoever runs this installation: its audit log says why.",
        )
        self.reason = reason


class KeysWantedError(OstiaryError):
    """Whether a token is right can be said only once its issuer's keys are fetched."""

    code = "keys_wanted"

    def __init__(self) -> None:
        super().__init__("The issuer's keys are not known yet.")


class NobodyYetError(OstiaryError):
    """The token is right, and whom it speaks of has never signed in here."""

    code = "token_unknown"

    def __init__(self) -> None:
        super().__init__(
            "This token is right, but its person has never signed in here.",
            "Sign in once with `ostiary login`, then use it again.",
        )


class ProviderRefusedError(RefusedError):
    """The identity provider said no. `error` is its code of RFC 6749, `invalid_grant` among them."""

    code = "provider_refused"

    def __init__(self, error: str) -> None:
        super().__init__("The identity provider refused the request.", "Sign in again.")
        self.error = error


class NotFoundError(CallerError):
    code = "not_found"


class UnreachableError(OperatorError):
    """A server that should answer does not."""

    code = "not_reachable"


class StorageUnavailableError(OperatorError):
    """A record could not be made durable; the caller must not go on."""

    code = "audit_unavailable"


class SecretUnavailableError(OperatorError):
    """The secret's provider gave nothing usable; the value is never part of the message."""

    code = "secret_unavailable"


class IntegrityError(OperatorError):
    """Stored data is not what was written. `index` is the first bad entry where there is one."""

    code = "integrity"

    def __init__(self, sentence: str, next_step: str = "", index: int | None = None) -> None:
        super().__init__(sentence, next_step)
        self.index = index


class MaskingFailedError(OstiaryError):
    """A text could not be made safe; nothing more of it may be passed on."""

    code = "masking_failed"


class DetectorFailedError(MaskingFailedError):
    """A remote detector does not answer, is too slow, or makes no sense. The sentence holds nothing of the text."""


class MaskingBlockedError(MaskingFailedError):
    """A masking rule blocks what was found. `rule` and `detector` say which; the value is never part of it."""

    def __init__(self, rule: str, detector: str) -> None:
        super().__init__(f"Masking rule `{rule}` blocks this: it holds what the detector `{detector}` looks for.")
        self.rule = rule
        self.detector = detector


class GatewayRefusal(OstiaryError):
    """An answer the gateway gives itself instead of forwarding. `status` and `code` are the outside contract's.

    `retry_after_s` becomes a Retry-After header; `close` says that the framing is in doubt and the connection ends.
    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        next_step: str = "",
        *,
        close: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(sentence, next_step)
        self.status = status
        self.code = code
        self.close = close
        self.retry_after_s = retry_after_s
