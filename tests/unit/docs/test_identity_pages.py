"""The pages on identity show files that are read, commands that there are, and permissions as they are."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from ostiary.catalog import load_catalog
from ostiary.cli.agent_label import LABEL_MAX
from ostiary.cli.commands import ostiary
from ostiary.control.declarative import parse
from ostiary.control.declarative.errors import DeclarativeError
from ostiary.control.declarative.issuers import _OIDC_KEYS, _SAML_KEYS, _WORKLOAD_KEYS
from ostiary.control.services.provider_checks.oidc import back_channel_url
from ostiary.control.services.sign_in_addresses import acs_url, callback_url, signed_out_url, sp_entity_id
from ostiary.identity.presets import PRESETS, WORKLOAD_PRESETS
from ostiary.model.issuer import OidcIssuer
from ostiary.model.permission import BUILT_IN_ROLES, STEP_UP, Permission

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted((DOCS / "identity").glob("*.md"))
CONSOLE = "https://ostiary.example.com"
FENCE = re.compile(r"^[ ]*```(\w+)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(ostiary [^`]+)`(?!`)")
ROOTS = ("version", "secrets", "connections", "groups", "rules", "masking", "identity")
FOREIGN = ("# .github/workflows/", "# .gitlab-ci.yml", "# pod.yaml")
"""First lines of files that are another program's."""


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and text of every block in it."""
    for page in PAGES:
        for found, text in FENCE.findall(page.read_text()):
            if found == language:
                yield page.name, text


DECLARATIVE = [(page, text) for page, text in blocks("yaml") if not text.startswith(FOREIGN)]
OTHERS = [(page, text) for page, text in blocks("yaml") if text.startswith(FOREIGN)]


def parsed(page: str, text: str) -> Any:
    whole = text if text.startswith("version:") else "version: 1\n" + text
    try:
        return parse(whole, page, load_catalog())
    except DeclarativeError as failure:
        pytest.fail(f"{page}: {failure}\n{text}")


def test_there_are_pages() -> None:
    assert len(PAGES) == 16
    assert len(DECLARATIVE) >= 20


@pytest.mark.parametrize(("page", "text"), DECLARATIVE)
def test_every_example_is_read(page: str, text: str) -> None:
    parsed(page, text)


@pytest.mark.parametrize(("page", "text"), OTHERS)
def test_files_of_other_programs_are_yaml(page: str, text: str) -> None:
    assert isinstance(yaml.safe_load(text), dict), page


def test_the_snippets_of_ci_ask_for_the_audience_of_the_example() -> None:
    documents = {text.split("\n", 1)[0]: yaml.safe_load(text) for _, text in OTHERS}
    github = next(document for name, document in documents.items() if "github" in name)
    assert github["permissions"]["id-token"] == "write"
    assert github["jobs"]["review"]["steps"][0]["env"]["AUDIENCE"] == CONSOLE
    assert documents["# .gitlab-ci.yml"]["review"]["id_tokens"]["OSTIARY_TOKEN"]["aud"] == CONSOLE
    source = documents["# pod.yaml"]["spec"]["volumes"][0]["projected"]["sources"][0]
    assert source["serviceAccountToken"]["audience"] == CONSOLE
    issuers = [issuer for page, text in DECLARATIVE if page == "machines.md" for issuer in parsed(page, text).issuers]
    assert {issuer.audience for issuer in issuers} == {CONSOLE}
    assert {issuer.preset for issuer in issuers} == set(WORKLOAD_PRESETS)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_has_a_guide_whose_example_its_own_check_has_no_doubt_about(name: str) -> None:
    page = f"{name}.md"
    texts = [text for found, text in DECLARATIVE if found == page]
    assert texts, page
    issuer = parsed(page, texts[0]).issuers[0]
    assert isinstance(issuer, OidcIssuer)
    preset = PRESETS[name]
    assert (issuer.name, issuer.preset) == (name, name)
    assert preset.doubt(issuer.issuer) == ""
    assert {"openid", *preset.scopes} <= set(issuer.scopes)
    guide = (DOCS / "identity" / page).read_text()
    assert f"`{callback_url(CONSOLE, name)}`" in guide
    assert f"ostiary doctor idp {name}" in guide
    group = parsed(page, texts[0]).groups[0]
    assert bool(group.sources) is preset.says_groups
    assert all(source.claim == issuer.groups_claim for source in group.sources)


def test_the_pages_name_the_addresses_that_are_registered() -> None:
    oidc, saml = (DOCS / "identity" / "oidc.md").read_text(), (DOCS / "identity" / "saml.md").read_text()
    for address in (callback_url(CONSOLE, "corp"), signed_out_url(CONSOLE), back_channel_url(CONSOLE, "corp")):
        assert f"`{address}`" in oidc
    for address in (acs_url(CONSOLE, "corp-saml"), sp_entity_id(CONSOLE, "corp-saml")):
        assert f"`{address}`" in saml


@pytest.mark.parametrize(
    ("page", "keys"), [("oidc.md", _OIDC_KEYS), ("saml.md", _SAML_KEYS), ("machines.md", _WORKLOAD_KEYS)]
)
def test_every_key_of_an_issuer_is_described(page: str, keys: tuple[str, ...]) -> None:
    rows = [line for line in (DOCS / "identity" / page).read_text().splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert set(keys) <= described


def test_the_table_of_permissions_is_what_the_roles_are() -> None:
    text = (DOCS / "identity" / "groups-and-roles.md").read_text()
    table = text.partition("## Permissions")[2].partition("\n## ")[0]
    heading, _, *rows = [line for line in table.splitlines() if line.startswith("|")]
    roles = [cell.strip() for cell in heading.strip("|").split("|")][3:]
    assert roles == list(BUILT_IN_ROLES)
    seen: dict[str, tuple[bool, set[str]]] = {}
    for row in rows:
        name, _, step_up, *marks = [cell.strip() for cell in row.strip("|").split("|")]
        seen[name.strip("`")] = (bool(step_up), {role for role, mark in zip(roles, marks, strict=True) if mark})
    assert seen == {
        permission.value: (
            permission in STEP_UP,
            {role for role, permissions in BUILT_IN_ROLES.items() if permission in permissions},
        )
        for permission in Permission
    }


# -- commands


def commands() -> Iterator[tuple[str, str]]:
    """Every command of ours in the pages, each on one line."""
    for page, text in blocks("sh"):
        joined = text.replace("\\\n", " ")
        for line in joined.splitlines():
            for found in re.findall(r"(?:^|\$\(|\| *|'|\")(ostiary [^|)'\"]*(?:\"[^\"]*\")?[^|)'\"]*)", line):
                yield page, found.partition(" #")[0].strip()
    for path in PAGES:
        prose = FENCE.sub("", path.read_text())
        for found in INLINE.findall(prose):
            yield path.name, found


def walked(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `words` name, and what is left of them."""
    command: click.Command = ostiary
    context = click.Context(ostiary)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        further = command.get_command(context, words[0])
        if further is None:
            break
        command, words = further, words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_every_command_in_the_pages_exists(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command, rest = walked(words)
    assert command is not ostiary, f"{page}: {line}"
    options: Mapping[str, click.Parameter] = {
        name: parameter for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
    }
    left, positional = iter(rest), []
    for word in left:
        if word == "--":
            positional += list(left)
        elif word.startswith("-"):
            name, _, value = word.partition("=")
            assert name in options, f"{page}: {line}: no option {name}"
            option = options[name]
            if isinstance(option, click.Option) and not option.is_flag and not value:
                next(left, None)
        else:
            positional.append(word)
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    takes_any = any(argument.nargs == -1 for argument in arguments)
    assert takes_any or len(positional) <= len(arguments), f"{page}: {line}: too many words"


def test_the_files_of_tools_are_of_their_formats() -> None:
    for page, text in blocks("json"):
        json.loads(text.replace("…", "x")), page
    for _, text in blocks("toml"):
        tomllib.loads(text)
    assert len("claude-code@laptop") < LABEL_MAX


def test_the_tests_that_the_list_of_attacks_names_are_there() -> None:
    text = (DOCS / "attacks.md").read_text()
    named = set(re.findall(r"`(test_[a-z_]+\.py)`", text))
    there = {path.name for path in (DOCS.parent / "tests" / "attacks").glob("test_*.py")}
    assert {name for name in there if name.startswith("test_g_")} <= named <= there


def test_the_example_of_the_declarative_file_is_read() -> None:
    text = FENCE.findall((DOCS / "declarative-file.md").read_text())[0][1]
    configuration = parsed("declarative-file.md", text)
    assert [issuer.name for issuer in configuration.issuers] == ["corp", "github"]
