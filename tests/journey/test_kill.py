"""SIGKILL in the middle of everything: what reached the upstream is in the log, and the log verifies."""

import asyncio
import re
from pathlib import Path

from support.crowd import Outcomes, crowd
from support.endurance import SIZE, House, open_house

KILLS = 5
NUMBER = re.compile(r"[?&]n=(\d+)")


def numbers(targets: list[str]) -> list[int]:
    return [int(found[1]) for target in targets if (found := NUMBER.search(target))]


async def crowd_with_a_kill(house: House, exchanges: range) -> Outcomes:
    """The server is killed when half of the exchanges are over, and started again while the others wait for it."""
    restart: list[asyncio.Future[None]] = []

    def start_again() -> None:
        house.server.kill()
        house.server.start()

    def watch(outcomes: Outcomes) -> None:
        if not restart and outcomes.tried >= len(exchanges) // 2:
            assert house.server.process is not None
            house.server.process.kill()
            restart.append(asyncio.get_running_loop().run_in_executor(None, start_again))

    outcomes = await crowd(house.port, house.token, "far", exchanges, SIZE.at_once, watch)
    await asyncio.gather(*restart)
    assert len(restart) == 1
    assert outcomes.tried == len(exchanges)
    return outcomes


def test_nothing_reached_the_upstream_without_its_intent_entry_through_five_kills(tmp_path: Path) -> None:
    whole: set[int] = set()
    cut = 0
    with open_house(tmp_path) as house:
        part = SIZE.exchanges // KILLS
        for kill in range(KILLS):
            exchanges = range(kill * part, (kill + 1) * part)
            outcomes = asyncio.run(asyncio.wait_for(crowd_with_a_kill(house, exchanges), SIZE.deadline_s))
            verdict = house.server.cli("audit", "verify")
            assert verdict.returncode == 0, verdict
            whole |= outcomes.whole
            cut += outcomes.cut

        assert cut > 0, "no kill met an exchange on its way"
        assert len(whole) > SIZE.exchanges // 3
        entries = house.server.entries()
        intended = numbers([str(entry["target"]) for entry in entries if entry["type"] == "exchange.intent"])
        reached = numbers(house.upstream.targets())
        assert set(reached) <= set(intended)
        assert whole <= set(reached)
        assert len(reached) == len(set(reached)), "a request was sent twice"
        assert len(intended) == len(set(intended)), "an intent was written twice"
