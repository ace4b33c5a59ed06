"""The results as Markdown tables, and where they stand in the documentation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bench.masking_quality.measuring import CodeCounts, Counts

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_LINES = 1_000
_REPLACEMENT_LINES = 20_000

SampleResults = Mapping[str, Mapping[tuple[str, bool, str], Counts]]
"""By finder."""


def put_into(document: Path, text: str) -> None:
    """Replaces what stands between the marks."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}")


def credentials_table(results: SampleResults) -> str:
    """Other scanners' cases: every finder, what is covered and all."""
    sources = sorted({source for source, _, _ in next(iter(results.values()))})
    rows = []
    for source in sources:
        for title, covered in ((f"{source}, formats covered", (True,)), (f"{source}, all", (True, False))):
            picked = _each(results, lambda key, s=source, c=covered: key[0] == s and key[1] in c)  # type: ignore[misc]
            rows.append([title, _count(picked), *(f"{count.recall:.3f}" for count in picked.values())])
        picked = _each(results, lambda key, s=source: key[0] == s)  # type: ignore[misc]
        texts = next(iter(picked.values())).harmless
        rows.append(
            [f"{source}, finds in the {texts} texts without", "", *(str(each.false) for each in picked.values())]
        )
    return _table(["", "cases", *results], rows)


def touched_line(results: SampleResults) -> str:
    """The lenient count, in which one byte of a credential is enough."""
    picked = _each(results, lambda key: key[1])
    return "; ".join(f"{name} {count.recall_touched:.3f}" for name, count in picked.items())


def rules_table(results: Mapping[tuple[str, bool, str], Counts]) -> str:
    """The rules of which Ostiary misses some, covered ones only."""
    rows = [
        [f"`{tag}`", str(count.planted), str(count.masked)]
        for (_, covered, tag), count in sorted(results.items())
        if covered and count.masked < count.planted
    ]
    return _table(["rule of the other scanner", "cases", "masked"], rows)


def personal_table(results: SampleResults) -> str:
    """Faker's records by what they hold."""
    first = next(iter(results.values()))
    tags = sorted({tag for _, _, tag in first if not tag.startswith("harmless")})
    rows = []
    for tag in tags:
        picked = _each(results, lambda key, t=tag: key[2] == t and key[1])  # type: ignore[misc]
        if next(iter(picked.values())).planted:
            rows.append([tag, _count(picked), *(f"{count.recall:.3f}" for count in picked.values())])
    total = _each(results, lambda key: key[1])
    rows.append(["**all of these**", _count(total), *(f"**{count.recall:.3f}**" for count in total.values())])
    rest = _each(results, lambda key: not key[1])
    rows.append(["numbers that nobody can have", _count(rest), *(f"{count.recall:.3f}" for count in rest.values())])
    rows.append(["precision", "", *(f"{count.precision:.3f}" for count in total.values())])
    texts = next(iter(total.values())).harmless
    rows.append([f"finds in the {texts} texts with other things", "", *(str(each.false) for each in total.values())])
    return _table(["", "cases", *results], rows)


def code_table(results: Mapping[str, CodeCounts], labels: Sequence[str]) -> str:
    """What Ostiary finds in each package."""
    rows = [
        [package, f"{count.lines:,}", *(_of(count, label) for label in labels), str(sum(count.false.values()))]
        for package, count in sorted(results.items())
    ]
    whole = added(results.values())
    rows.append(
        ["**all**", f"{whole.lines:,}", *(_of(whole, label) for label in labels), str(sum(whole.false.values()))]
    )
    return _table(["package", "lines", *labels, "false"], rows)


def rates_table(rates: Mapping[str, tuple[CodeCounts, bool]]) -> str:
    """Finds per 1,000 lines, and false ones where they were judged."""
    rows = []
    for name, (count, judged) in rates.items():
        false = sum(count.false.values())
        rows.append(
            [
                name,
                f"{count.lines:,}",
                f"{sum(count.found.values()):,}",
                f"{sum(count.found.values()) / count.lines * _LINES:.3f}",
                f"{false / count.lines * _LINES:.4f}" if judged else "",
                f"{false / count.lines * _REPLACEMENT_LINES:.2f}" if judged else "",
            ]
        )
    head = ["", "lines", "finds", "finds per 1,000 lines", "false per 1,000 lines", "false per 20,000 lines"]
    return _table(head, rows)


def added(counts: Iterable[CodeCounts], labels: Sequence[str] | None = None) -> CodeCounts:
    """The sum, of these labels only if they are given."""
    whole = CodeCounts()
    for count in counts:
        whole.lines += count.lines
        whole.files += count.files
        for label in count.found:
            if labels is None or label in labels:
                whole.found[label] += count.found[label]
                whole.false[label] += count.false[label]
    return whole


def uncovered_list(uncovered: Mapping[str, str]) -> str:
    return "\n".join(f"- `{rule}`: {reason}" for rule, reason in uncovered.items())


def _of(count: CodeCounts, label: str) -> str:
    return str(count.found[label]) if count.found[label] else ""


def _each(results: SampleResults, wanted: Callable[[tuple[str, bool, str]], bool]) -> dict[str, Counts]:
    summed = {}
    for name, counts in results.items():
        whole = summed[name] = Counts()
        for key, count in counts.items():
            if wanted(key):
                whole.planted += count.planted
                whole.masked += count.masked
                whole.touched += count.touched
                whole.harmless += count.harmless
                whole.false += count.false
    return summed


def _count(picked: Mapping[str, Counts]) -> str:
    return f"{next(iter(picked.values())).planted:,}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
