"""How fast masking looks through texts: `python -m bench.detectors [--quick]`, on one core, without network.

Predicted before the first run, on one core: JSON of 64 KiB passes `JsonBody` at 300 MB/s with every credential format
and at 150 MB/s with every detector; 800 own patterns cost less than twice what 80 do. `re` one by one: below 3 MB/s.
An event of 400 bytes: 4 µs for the injected key alone, 8 µs with the credentials, 12 µs with every detector.
300 addresses in 64 KiB: 15 ms, 50 tokens: 3 ms. No text made to be slow: more than 60 ms a megabyte, or more than 2.5
times as long when it is twice as long.
"""

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import masking_texts as texts
from bench.baselines import BASELINES, Search, patterns_of
from bench.masking_report import Table, conditions, for_terminal, number, publish
from ostiary.catalog import load_catalog
from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.gateway.masks import masker_for_channels
from ostiary.masking.engine import Masker

PIECE_BYTES = 64 * 1024
BATCH_S = 0.02
"""A round does a job as often as fits into this time, and once at least."""
EVENTS = 500
KEY_ALONE = "injected key only"
CHANNELS = {name: kind.text_channels for name, kind in load_catalog().items()}


@dataclass(slots=True)
class Job:
    """`work` done in turn with all the others; `times` are seconds of one go, a median of each round."""

    work: Callable[[], object]
    count: int = 1
    times: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(self.times)


def measure(jobs: Sequence[Job], rounds: int) -> None:
    """Round after round, so that a noisy minute hits all of them; in processor time of this thread, which others on the
    machine disturb least."""
    for job in jobs:
        job.work()
        begun = time.thread_time()
        job.work()
        job.count = max(1, int(BATCH_S / max(time.thread_time() - begun, 1e-7)))
    for _ in range(rounds):
        for job in jobs:
            begun = time.thread_time()
            for _ in range(job.count):
                job.work()
            job.times.append((time.thread_time() - begun) / job.count)


# -- work


def masker(rules: str) -> Masker:
    if rules == KEY_ALONE:
        return masker_for_channels(texts.injected())
    return texts.engine(rules).masker(injected=texts.injected())


def passing(make: Callable[[Masker], Body], rules: str, data: bytes) -> Callable[[], object]:
    """A whole body, in pieces as they come from the network."""
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    mine = masker(rules)

    def work() -> bytes:
        body = make(mine)
        return b"".join([body.feed(piece) for piece in pieces]) + body.finish()

    return work


def streaming(kind: str, rules: str, events: Sequence[bytes]) -> Callable[[], object]:
    def work() -> None:
        body = SseBody(masker(rules), CHANNELS[kind])
        for event in events:
            body.feed(event)
        body.finish()

    return work


def searching(search: Search, data: bytes) -> Callable[[], object]:
    return lambda: search(data)


# -- tables


def throughput(rounds: int) -> tuple[Table, dict[str, float]]:
    """Ours on every text, the baselines on JSON."""
    documents = {
        "JSON 64 KiB": texts.records(texts.LARGE),
        "JSON 1 KiB": texts.records(texts.SMALL),
        "code 64 KiB": texts.code(texts.LARGE),
        "prose 64 KiB": texts.prose(texts.LARGE),
    }
    ways: dict[str, Callable[[str, bytes], Callable[[], object]]] = {
        "JsonBody": lambda rules, data: passing(JsonBody, rules, data),
        "TextBody": lambda rules, data: passing(TextBody, rules, data),
        "first look alone": lambda rules, data: searching(masker(rules).suspects, data),
    }
    jobs: dict[tuple[str, str, str], Job] = {}
    for rules in texts.RULE_SETS:
        for name, data in documents.items():
            for way, make in ways.items():
                if way != "JsonBody" or name.startswith("JSON"):
                    jobs[rules, way, name] = Job(make(rules, data))
        written = patterns_of(texts.RULE_SETS[rules]())
        for baseline, compiled in BASELINES.items():
            search = compiled(written)
            for name in ("JSON 64 KiB", "JSON 1 KiB"):
                jobs[rules, baseline, name] = Job(searching(search, documents[name]))
    measure(list(jobs.values()), rounds)
    rows = []
    for rules, way in dict.fromkeys((rules, way) for rules, way, _ in jobs):
        cells = []
        for name, data in documents.items():
            job = jobs.get((rules, way, name))
            cells.append("–" if job is None else number(len(data) / job.seconds / 1e6))
        small = jobs[rules, way, "JSON 1 KiB"].seconds if (rules, way, "JSON 1 KiB") in jobs else None
        rows.append([rules, way, *cells, "–" if small is None else number(small * 1e6)])
    values = {f"{rules}, {way}, {name}, µs": round(job.seconds * 1e6, 2) for (rules, way, name), job in jobs.items()}
    head = ["rules", "with", *(f"{name}, MB/s" for name in documents), "JSON 1 KiB, µs"]
    return Table("Whole texts without anything to mask (two addresses in the code)", head, rows, 2), values


def events(rounds: int) -> tuple[Table, dict[str, float]]:
    streams = {
        "chat chunk, 400 bytes": ("openai", texts.framed_events(EVENTS)),
        "the same with random padding": ("openai", texts.chat_events(EVENTS)),
        "Anthropic delta, 123 bytes": ("anthropic", texts.message_events(EVENTS)),
    }
    rule_sets = (KEY_ALONE, "secrets", "secrets and personal data", "every detector", "80 own patterns",
                 "800 own patterns")  # fmt: skip
    jobs = {
        (rules, name): Job(streaming(kind, rules, made))
        for rules in rule_sets
        for name, (kind, made) in streams.items()
    }
    measure(list(jobs.values()), rounds)
    each = {key: job.seconds * 1e6 / EVENTS for key, job in jobs.items()}
    rows = [[rules, *(number(each[rules, name]) for name in streams)] for rules in rule_sets]
    head = ["rules", *(f"{name}, µs" for name in streams)]
    values = {f"{rules}, {name}, µs": round(value, 2) for (rules, name), value in each.items()}
    return Table("Events of prose through `SseBody`, each event", head, rows), values


def dense(rounds: int) -> tuple[Table, dict[str, float]]:
    documents = {"300 e-mail addresses": texts.with_addresses(300), "50 tokens": texts.with_secrets(50)}
    rule_sets = ("secrets", "secrets and personal data", "every detector")
    jobs = {
        (name, rules): Job(passing(JsonBody, rules, data)) for name, data in documents.items() for rules in rule_sets
    }
    measure(list(jobs.values()), rounds)
    rows = [[name, *(number(jobs[name, rules].seconds * 1e3) for rules in rule_sets)] for name in documents]
    values = {f"{name}, {rules}, ms": round(job.seconds * 1e3, 3) for (name, rules), job in jobs.items()}
    return Table("64 KiB of JSON with much to mask", ["in it", *(f"{rules}, ms" for rules in rule_sets)], rows), values


def adversarial(size: int, rounds: int) -> tuple[Table, dict[str, float]]:
    """Every detector on texts made to be slow, and on the same twice as long."""
    ways: dict[str, Callable[[Masker], Body]] = {"JsonBody": JsonBody, "TextBody": TextBody}
    jobs: dict[tuple[str, str, int], Job] = {}
    for times in (1, 2):
        for name, data in texts.adversarial(size * times):
            for way, make in ways.items():
                jobs[name, way, times] = Job(passing(make, "every detector", data))
    measure(list(jobs.values()), rounds)
    rows, values = [], {}
    for name in dict.fromkeys(name for name, _, _ in jobs):
        cells = []
        for way in ways:
            once, twice = jobs[name, way, 1].seconds, jobs[name, way, 2].seconds
            values[f"{name}, {way}, ms a megabyte"] = round(once * 1e9 / size, 2)
            cells += [number(once * 1e9 / size), number(twice / once)]
        rows.append([f"`{name}`", *cells])
    head = ["repeated", "JSON, ms/MB", "twice as long takes ×", "text, ms/MB", "twice as long takes ×"]
    return Table("Texts made to be slow, every detector", head, rows), values


def profile() -> None:
    """Where the time goes, by function."""
    for title, work in {
        "JSON 64 KiB, every detector": passing(JsonBody, "every detector", texts.records(texts.LARGE)),
        "JSON 64 KiB, secrets": passing(JsonBody, "secrets", texts.records(texts.LARGE)),
        "events, secrets and personal data": streaming(
            "openai", "secrets and personal data", texts.chat_events(EVENTS)
        ),
        "300 addresses, every detector": passing(JsonBody, "every detector", texts.with_addresses(300)),
    }.items():
        work()
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(20):
            work()
        profiler.disable()
        print(title)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(16)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.detectors", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="noisier, written nowhere")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slow-bytes", type=int, default=1_000_000, help="size of the texts made to be slow")
    parser.add_argument("--only", default="throughput,events,dense,adversarial", help="parts, comma separated")
    parser.add_argument("--profile", action="store_true", help="instead: where the time goes, by function")
    options = parser.parse_args()
    if options.profile:
        profile()
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = conditions()
    rounds = 3 if options.quick else options.rounds
    slow_bytes = 128 * 1024 if options.quick else options.slow_bytes
    parts: dict[str, Callable[[], tuple[Table, dict[str, float]]]] = {
        "throughput": lambda: throughput(rounds),
        "events": lambda: events(rounds),
        "dense": lambda: dense(rounds),
        "adversarial": lambda: adversarial(slow_bytes, min(rounds, 3)),
    }
    tables: list[Table] = []
    values: dict[str, object] = {}
    for name in options.only.split(","):
        table, seen = parts[name]()
        print(for_terminal(table), flush=True)
        tables.append(table)
        values[name] = seen
    if not options.quick and options.only == parser.get_default("only"):
        command = f"python -m bench.detectors --rounds {rounds} --slow-bytes {slow_bytes}"
        publish("masking-speed", command, machine, tables, values)


if __name__ == "__main__":
    main()
