"""Writing into tools' own configuration files: what is there stays, with a copy of it as it was."""

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostiary.cli.tools import File
from ostiary.model.errors import OperatorError

_FILE_MAX_BYTES = 4 * 1024 * 1024


def write_into(file: File, path: Path) -> tuple[bool, Path | None]:
    """Whether the file had to be changed, and where the copy of what it was lies (None: it is new).

    Raises `OperatorError` with what to paste where it cannot be changed safely.
    """
    target = path.resolve()
    before = _read(target, file)
    after = _merged_json(before, file) if file.format == "json" else _with_toml(before, file)
    if after == before:
        return False, None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = None if before is None else _copied(target, before)
        _replace(target, after)
    except OSError as error:
        raise _refusal(file, f"{path} cannot be written: {error.strerror}.") from None
    return True, copy


def _read(path: Path, file: File) -> str | None:
    try:
        if path.stat().st_size > _FILE_MAX_BYTES:
            raise _refusal(file, f"{path} is larger than 4 MiB.")
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _refusal(file, f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise _refusal(file, f"{path} cannot be read: {error.strerror}.") from None


def _merged_json(before: str | None, file: File) -> str:
    if before is None or not before.strip():
        return file.text
    try:
        document = json.loads(before)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _refusal(file, f"{file.shown} is no plain JSON (comments?), and could not be kept as it is.")
    merged = _merged(document, file.members)
    return before if merged == document else json.dumps(merged, indent=2, ensure_ascii=False) + "\n"


def _merged(document: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the members in it; objects are merged, everything else is replaced."""
    merged = dict(document)
    for name, value in members.items():
        inner = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(inner, dict)
        merged[name] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _with_toml(before: str | None, file: File) -> str:
    """The first lines of `file.text`, up to its first table, go to the top and the rest to the end; what stands between
    is untouched. Refused when that would not mean what it should, as where one of the keys is there already."""
    if before is None or not before.strip():
        return file.text
    try:
        document = tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        raise _refusal(file, f"{file.shown} is not valid TOML.") from None
    wanted = _merged(document, file.members)
    if wanted == document:
        return before
    keys, table, tables = file.text.partition("\n[")
    after = f"{keys}\n{before.rstrip()}\n\n{table.lstrip()}{tables}"
    if not keys.endswith("\n"):
        after = f"{keys}\n{after[len(keys) :]}"
    try:
        if tomllib.loads(after) == wanted:
            return after
    except tomllib.TOMLDecodeError:
        pass
    raise _refusal(file, f"{file.shown} has other values in these places.")


def _copied(path: Path, content: str) -> Path:
    """Beside the file, under a name that is free."""
    number = 0
    while True:
        copy = path.with_name(f"{path.name}.before-ostiary{f'-{number}' if number else ''}")
        try:
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode())
        return copy


def _replace(path: Path, content: str) -> None:
    """All or nothing, with the mode the file has."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode())
            stream.flush()
            os.fsync(descriptor)
        os.chmod(fresh, mode)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


def _refusal(file: File, sentence: str) -> OperatorError:
    return OperatorError(f"{sentence} Nothing was written.", f"Put this into {file.shown} yourself:\n\n{file.text}")
