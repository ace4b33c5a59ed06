"""Fetches what is measured on: packages of fixed versions, each with its registry's own client, into one folder."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

PYPI_SDISTS = (
    "requests==2.34.2",
    "flask==3.1.3",
    "django==5.2.19",
    "celery==5.7.0",
    "twisted==26.10.0",
    "ansible-core==2.19.14",
    "paramiko==5.1.0",
)
PYPI_WHEELS = ("numpy==2.4.6", "sqlalchemy==2.1.9", "botocore==1.44.5")
NPM = (
    "react-dom@19.3.1",
    "lodash@4.18.1",
    "express@5.3.0",
    "typescript@5.9.3",
    "webpack@5.112.2",
    "firebase-tools@15.34.2",
    "npm@11.21.2",
    "vite@8.3.8",
    "fastify@5.12.8",
    "mongodb@7.9.0",
)
GITLEAKS = "github.com/zricethezav/gitleaks/v8@v8.30.1"
KINGFISHER = "kingfisher-rules"
KINGFISHER_VERSION = "3.0.1"
_HERE = Path(__file__).parent


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ostiary-bench"


def source_trees(cache: Path) -> dict[str, Path]:
    """The unpacked packages by name and version."""
    trees = {}
    for requirement in (*PYPI_SDISTS, *PYPI_WHEELS):
        kind = "--no-binary" if requirement in PYPI_SDISTS else "--only-binary"
        trees[f"{requirement.replace('==', ' ')} (PyPI)"] = _fetched(
            cache / "pypi" / requirement,
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, ":all:", requirement],
        )
    for package in NPM:
        name = package.replace("@", " ")
        trees[f"{name} (npm)"] = _fetched(cache / "npm" / package, ["npm", "pack", "--silent", package])
    return trees


def gitleaks_cases(cache: Path) -> list[dict[str, object]]:
    """The cases that gitleaks' own rules are tried on, in a fixed order; none where there is no Go."""
    written = cache / "gitleaks" / "cases.jsonl"
    if not written.exists():
        if shutil.which("go") is None:
            print("There is no Go here: gitleaks' cases are left out.", file=sys.stderr)
            return []
        _write_gitleaks_cases(cache / "gitleaks", written)
    return [json.loads(line) for line in sorted(set(written.read_text().splitlines()))]


def kingfisher_rules(cache: Path) -> str:
    """The YAML of Kingfisher's own rules with their examples; empty where there is no Cargo."""
    folder = cache / "kingfisher"
    kept = folder / f"kingfisher-rules-{KINGFISHER_VERSION}.yml"
    if not kept.exists():
        if shutil.which("cargo") is None:
            print("There is no Cargo here: Kingfisher's examples are left out.", file=sys.stderr)
            return ""
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / "lib.rs").touch()
        (folder / "Cargo.toml").write_text(
            '[package]\nname = "fetching"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n'
            f'{KINGFISHER} = "={KINGFISHER_VERSION}"\n[workspace]\n'
        )
        subprocess.run(["cargo", "vendor", "--quiet", "vendor"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        found = next((folder / "vendor").glob(f"{KINGFISHER}*/data/kingfisher-rules.yml"))
        shutil.copy(found, kept)
        shutil.rmtree(folder / "vendor")
    return kept.read_text()


def _fetched(folder: Path, command: list[str]) -> Path:
    """The folder into which what the command leaves in it is unpacked."""
    unpacked = folder / "unpacked"
    if unpacked.exists():
        return unpacked
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    making = folder / "making"
    for archive in [path for path in folder.iterdir() if path.is_file()]:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(making)
        else:
            with tarfile.open(archive) as sdist:
                sdist.extractall(making, filter="data")
        archive.unlink()
    return making.rename(unpacked)


def _write_gitleaks_cases(folder: Path, written: Path) -> None:
    """Builds gitleaks' rule generator with two of its files replaced, so that it writes down what it tries."""
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOPATH": str(folder / "go"), "GOWORK": "off"}
    shown = subprocess.run(
        ["go", "mod", "download", "-json", GITLEAKS], env=environment, check=True, capture_output=True, text=True
    )
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(json.loads(shown.stdout)["Dir"], source)
    for path in (source, *source.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    generate = source / "cmd" / "generate"
    shutil.copy(_HERE / "validate.go.txt", generate / "config" / "utils" / "validate.go")
    shutil.copy(_HERE / "secrets.go.txt", generate / "secrets" / "regen.go")
    making = folder / "cases.making"
    making.unlink(missing_ok=True)
    environment["CASES"] = str(making)
    subprocess.run(
        ["go", "run", ".", str(folder / "rules.toml")],
        cwd=generate / "config", env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    making.rename(written)
    subprocess.run(["go", "clean", "-modcache"], env=environment, check=False)
    shutil.rmtree(source)
