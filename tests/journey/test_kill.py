"""SIGKILL in the middle of everything: what reached the upstream is in the log, and the log verifies."""

import asyncio
import re
from pathlib import Path

from support.crowd import Outcomes, crowd
from support.endurance import SIZE, open_house
from support.installation import Installation

KILLS = 5
NUMBER = re.compile(r"[?&]n=(\d+)")


class Killer:
    """Kills the server when a sixth, two sixths, … of the exchanges are over, and verifies the log after each."""

    def __init__(self, server: Installation, exchanges: int) -> None:
        self.server = server
        self.due = [exchanges * part // (KILLS + 1) for part in range(1, KILLS + 1)]
        self.restarts: list[asyncio.Future[None]] = []
        self.verdicts: list[tuple[int, bytes]] = []

    def watch(self, outcomes: Outcomes) -> None:
        down = bool(self.restarts) and not self.restarts[-1].done()
        if self.due and not down and outcomes.tried >= self.due[0]:
            del self.due[0]
            assert self.server.process is not None
            self.server.process.kill()
            self.restarts.append(asyncio.get_running_loop().run_in_executor(None, self._restart))

    def _restart(self) -> None:
        self.server.kill()
        self.server.start()
        verdict = self.server.cli("audit", "verify")
        self.verdicts.append((verdict.returncode, verdict.stdout + verdict.stderr))


def numbers(targets: list[str]) -> list[int]:
    return [int(found[1]) for target in targets if (found := NUMBER.search(target))]


def test_nothing_reached_the_upstream_without_its_intent_entry_through_five_kills(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        killer = Killer(house.server, SIZE.exchanges)

        async def everything() -> Outcomes:
            outcomes = await crowd(house.port, house.token, "far", SIZE.exchanges, SIZE.at_once, killer.watch)
            await asyncio.gather(*killer.restarts)
            return outcomes

        outcomes = asyncio.run(asyncio.wait_for(everything(), SIZE.deadline_s * 5))
        assert len(killer.restarts) == KILLS
        assert [code for code, _ in killer.verdicts] == [0] * KILLS, killer.verdicts
        assert outcomes.tried == SIZE.exchanges
        assert outcomes.cut > 0, "no kill met an exchange on its way"
        assert len(outcomes.whole) > SIZE.exchanges // 4

        entries = house.server.entries()
        intended = numbers([str(entry["target"]) for entry in entries if entry["type"] == "exchange.intent"])
        reached = numbers(house.upstream.targets())
        assert set(reached) <= set(intended)
        assert outcomes.whole <= set(reached)
        assert len(reached) == len(set(reached)), "a request was sent twice"
        assert len(intended) == len(set(intended)), "an intent was written twice"
        verdict = house.server.cli("audit", "verify")
        assert verdict.returncode == 0, verdict
