"""The exchanges that run right now, so that lost access ends them."""

from collections.abc import Callable

from ostiary.gateway.state import Exchange


class LiveExchanges:
    def __init__(self) -> None:
        self._running: set[Exchange] = set()
        self.add = self._running.add
        self.discard = self._running.discard

    def __len__(self) -> int:
        return len(self._running)

    def cut(self, why: str, concerns: Callable[[Exchange], bool]) -> int:
        """End every exchange it concerns; their outcome entries say why. Returns how many."""
        concerned = [exchange for exchange in self._running if concerns(exchange)]
        for exchange in concerned:
            exchange.end = f"cut: {why}"
            if exchange.receipt is None and exchange.task is not None:
                exchange.task.cancel()  # it only waits: it can still be told why
            else:
                exchange.client.abort()
        return len(concerned)
