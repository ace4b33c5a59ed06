"""Measures and prints, or writes into the documentation.

Run: `make masking-quality`, or `python -m bench.masking_quality --help` where requirements-quality.txt is installed.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import yaml

from bench.masking_quality import downloads, report
from bench.masking_quality.finders import DetectSecretsFinder, Finder, OstiaryFinder, PresidioFinder
from bench.masking_quality.judging import Verdicts
from bench.masking_quality.measuring import EVERY_OTHER, measure_code, measure_samples, say, some_of
from bench.masking_quality.personal_records import personal_samples
from bench.masking_quality.secret_cases import secret_samples
from bench.masking_quality.trees import source_files
from ostiary.masking.engine import detector_names

DOCUMENT = Path(__file__).parents[2] / "docs" / "masking.md"
_EXAMPLES = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.masking_quality", description=__doc__)
    parser.add_argument("--cache", type=Path, default=downloads.default_cache(), help="where what is fetched is kept")
    parser.add_argument("--write", action="store_true", help=f"put the results into {DOCUMENT.name}")
    parser.add_argument("--examples", action="store_true", help="show some of what the other tools find in source code")
    options = parser.parse_args()

    uncovered = yaml.safe_load(Path(__file__).with_name("uncovered.yaml").read_text())
    detectors = tuple(name for name in detector_names() if name != "minted-credential")
    everything = OstiaryFinder("Ostiary", detectors)
    presidio = PresidioFinder()
    others: list[Finder] = [DetectSecretsFinder(), presidio]
    finders: list[Finder] = [everything, OstiaryFinder("Ostiary, secrets", ("secrets",)), *others]

    secrets = secret_samples(options.cache, uncovered)
    credentials = {finder.name: measure_samples(finder, secrets) for finder in finders}
    records = personal_samples()
    personal = {finder.name: measure_samples(finder, records) for finder in (everything, presidio)}

    files = list(source_files(downloads.source_trees(options.cache)))
    verdicts = Verdicts()
    code = measure_code(everything, files, verdicts)
    other_code = {finder.name: measure_code(finder, some_of(files), None) for finder in others}
    if verdicts.unjudged:
        say(f"Not judged yet, counted as false: {', '.join(sorted(verdicts.unjudged))}")
    if options.examples:
        for name, counts in other_code.items():
            shown = [example for count in counts.values() for example in count.examples]
            print(f"\n{name}:", *shown[:: max(1, len(shown) // _EXAMPLES)], sep="\n  ")

    rates = {
        "Ostiary, all detectors": (report.added(code.values()), True),
        "Ostiary, secrets": (report.added(code.values(), ("secrets",)), True),
        **{
            f"{name}, one file in {EVERY_OTHER}": (report.added(each.values()), False)
            for name, each in other_code.items()
        },
    }
    tools = ", ".join(f"{name} {version(name)}" for name in ("detect-secrets", "presidio-analyzer", "faker"))
    gitleaks = "gitleaks " + downloads.GITLEAKS.rpartition("@v")[2]
    text = "\n\n".join(
        (
            f"Measured with {tools}, {gitleaks} and Kingfisher's rules {downloads.KINGFISHER_VERSION}.",
            "### Credentials",
            "Recall:",
            report.credentials_table(credentials),
            f"Found at all, if only a part of it, formats covered: {report.touched_line(credentials)}.",
            "Where Ostiary misses some:",
            report.rules_table(credentials[everything.name]),
            "Not covered:",
            report.uncovered_list(uncovered),
            "### Personal data",
            "Recall by what the record holds:",
            report.personal_table(personal),
            "### Source code",
            report.rates_table(rates),
            "What Ostiary finds in each package:",
            report.code_table(code, [name for name in detectors if any(name in each.found for each in code.values())]),
        )
    )
    if options.write:
        report.put_into(DOCUMENT, text)
    else:
        print(text)


main()
