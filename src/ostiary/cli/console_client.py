"""The control API of a console elsewhere, as the person who signed in there."""

import sys
from typing import Any

from ostiary.cli import access, login_file
from ostiary.cli.client import ANSWER_TIMEOUT_S, Api, ApiRefusal
from ostiary.cli.console_http import request
from ostiary.model.errors import RefusedError

_SCOPE = "api"


class ConsoleClient(Api):
    def __init__(self, login: dict[str, Any], *, quiet: bool) -> None:
        """Unless `quiet`, a change says once where it goes: the person did not name this console."""
        self._login = login
        self._quiet = quiet

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        console = self._login["console"]
        if not self._quiet and method != "GET":
            self._quiet = True
            print(f"Note: no server runs here; this goes to {console}.", file=sys.stderr)
        answer = None
        for _ in range(2):
            token = access.access_of(self._login, _SCOPE)["token"]
            answer = request(
                method,
                console + path,
                body=payload,
                headers={**headers, "Authorization": f"Bearer {token}"},
                timeout_s=ANSWER_TIMEOUT_S,
                answer_max_bytes=None,
            )
            if answer.status != 401:
                return answer.status, answer.content
            # Revoked, or the server forgot it: a new one tells whether the sign-in itself still stands.
            access.forget(self._login, _SCOPE, token)
        raise RefusedError(f"{console} does not know your sign-in.", f"Run `ostiary login --console {console}`.")

    def _advised(self, refusal: ApiRefusal) -> ApiRefusal:
        if refusal.code == "step_up_required":
            refusal.next_step = f"Run `ostiary login --console {self._login['console']}`, then repeat this."
        return refusal


def client_of_login(console: str | None, *, quiet: bool = False) -> ConsoleClient | None:
    """As the latest sign-in that is no agent's: at the console, which must then be one; or at any, None without one."""
    people = [login for login in access.logins() if not login["agent"]]
    login = login_file.find(people, console)
    if login is not None:
        return ConsoleClient(login, quiet=quiet or console is not None)
    if console is None:
        return None
    raise RefusedError(f"You are not signed in at {console}.", f"Run `ostiary login --console {console}`.")
