"""G01 on a machine that several people use: what they can see of each other must not be enough to sign somebody else's
command line in."""

import os
import subprocess
import sys
import time
from pathlib import Path

from support.access_house import access_house


def test_G01_the_address_of_a_sign_in_is_in_no_processes_arguments(tmp_path: Path) -> None:
    person, started = tmp_path / "person", tmp_path / "started"
    person.mkdir()
    browser = tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {started}\nsleep 5\n')
    browser.chmod(0o755)
    with access_house(tmp_path) as house:
        address = f"http://127.0.0.1:{house.console}"
        environment = {**house.server.environment, "HOME": str(person), "BROWSER": f"{browser} %s"}
        environment.pop("SSH_CONNECTION", None)
        command = [sys.executable, "-m", "ostiary", "login", "--console", address]
        login = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen: set[str] = set()
        try:
            deadline = time.monotonic() + 30
            while not started.exists() and login.poll() is None and time.monotonic() < deadline:
                seen |= arguments_with("/oauth/authorize")
                time.sleep(0.02)
            seen |= arguments_with("/oauth/authorize")
            assert started.exists()
            (page,) = person.glob("*.html")
            assert started.read_text() == page.as_uri()
            assert page.stat().st_mode & 0o777 == 0o600
            assert f"{address}/oauth/authorize?" in page.read_text()
            assert seen == set()
        finally:
            login.kill()
            login.communicate()


def arguments_with(text: str) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in arguments and str(os.getpid()) != process.name:
            found.add(arguments)
    return found
