"""Numbers about the team: usage, spending, analytics, code written by AI. Made up, but the same on every call."""

import csv
import hashlib
import io
import uuid
from collections.abc import Iterator, Sequence

from ostiary.standin.cursor_errors import JSON, plain_error
from ostiary.standin.cursor_team import Member
from ostiary.standin.cursor_time import day, iso, milliseconds

DAY_MS = 86_400_000
MODELS = ("composer-2", "gpt-5.4", "claude-opus-5")


def number(*words: object, below: int = 100) -> int:
    """A number that depends on the words only."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:4], "big") % below


def paged(items: Sequence[JSON], page: int, size: int) -> tuple[list[JSON], JSON]:
    """One page (counted from 1) and what the API says about the pages."""
    pages = max(1, -(-len(items) // size))
    info = {
        "page": page,
        "pageSize": size,
        "totalCount": len(items),
        "totalPages": pages,
        "hasNextPage": page < pages,
        "hasPreviousPage": page > 1,
    }
    return list(items[(page - 1) * size : page * size]), info


def period_of(body: JSON) -> tuple[int, int]:
    """Start and end in milliseconds; the API allows 30 days at most."""
    end = body.get("endDate", milliseconds())
    start = body.get("startDate", end - 7 * DAY_MS)
    if not isinstance(start, int) or not isinstance(end, int) or start > end:
        raise plain_error(400, "Bad Request", "startDate and endDate must be milliseconds, in this order")
    if end - start > 30 * DAY_MS:
        raise plain_error(400, "Bad Request", "Date range cannot exceed 30 days")
    return start, end


def daily_usage(members: Sequence[Member], body: JSON) -> JSON:
    start, end = period_of(body)
    all_rows = "page" in body or "pageSize" in body
    rows = []
    for date in range(start - start % DAY_MS, end, DAY_MS):
        for member in members:
            active = number(member.id, day(date), below=4) > 0
            if active or all_rows:
                rows.append(_usage_row(member, date, active))
    page, info = paged(rows, int(body.get("page", 1)), int(body.get("pageSize", 1000)))
    return {
        "data": page,
        "period": {"startDate": start, "endDate": end},
        "pagination": {**info, "totalUsers": len(members)},
    }


def _usage_row(member: Member, date: int, active: bool) -> JSON:
    def count(what: str, below: int) -> int:
        return number(member.id, day(date), what, below=below) if active else 0

    return {
        "userId": member.number,
        "day": day(date),
        "date": date,
        "email": member.email,
        "isActive": active,
        "totalLinesAdded": count("added", 900),
        "totalLinesDeleted": count("deleted", 300),
        "acceptedLinesAdded": count("accepted", 500),
        "composerRequests": count("composer", 40),
        "chatRequests": count("chat", 30),
        "agentRequests": count("agent", 20),
        "apiKeyReqs": 0,
        "mostUsedModel": MODELS[count("model", len(MODELS))],
        "clientVersion": "3.2.1",
    }


def spend(members: Sequence[Member], body: JSON) -> JSON:
    term = str(body.get("searchTerm", "")).lower()
    rows: list[JSON] = [
        {
            "userId": member.id,
            "name": member.name,
            "email": member.email,
            "role": member.role,
            "spendCents": number(member.id, "spend", below=500_000) / 100,
            "overallSpendCents": number(member.id, "overall", below=900_000) / 100,
            "fastPremiumRequests": number(member.id, "fast", below=500),
            "hardLimitOverrideDollars": member.spend_limit_dollars or 0,
            "monthlyLimitDollars": member.spend_limit_dollars,
            "effectivePerUserLimitDollars": member.spend_limit_dollars or 200,
        }
        for member in members
        if term in member.name.lower() or term in member.email
    ]
    if body.get("sortBy") in ("amount", "spend"):
        rows.sort(key=lambda row: row["spendCents"], reverse=body.get("sortDirection") == "desc")
    page, info = paged(rows, int(body.get("page", 1)), int(body.get("pageSize", 25)))
    return {
        "teamMemberSpend": page,
        "subscriptionCycleStart": milliseconds() - 10 * DAY_MS,
        "totalMembers": len(rows),
        "totalPages": info["totalPages"],
    }


def usage_events(members: Sequence[Member], body: JSON) -> JSON:
    start, end = period_of(body)
    rows = [
        _event(member, at, index)
        for index, at in enumerate(range(end, start, -DAY_MS // 4))
        for member in members
        if body.get("email") in (None, member.email) and body.get("userId") in (None, member.id, member.number)
    ]
    size = int(body.get("pageSize", 25))
    page, info = paged(rows, int(body.get("page", 1)), size)
    return {
        "totalUsageEventsCount": len(rows),
        "pagination": {
            "numPages": info["totalPages"],
            "currentPage": info["page"],
            "pageSize": size,
            "hasNextPage": info["hasNextPage"],
            "hasPreviousPage": info["hasPreviousPage"],
        },
        "usageEvents": page,
    }


def _event(member: Member, at: int, index: int) -> JSON:
    cents = number(member.id, index, "cents", below=9000) / 100
    return {
        "timestamp": str(at - number(member.id, index, below=DAY_MS // 8)),
        "userEmail": member.email,
        "conversationId": str(uuid.UUID(int=number(member.id, index, below=2**32))),
        "cloudAgentId": None,
        "automationId": None,
        "serviceAccountId": None,
        "model": MODELS[number(member.id, index, below=len(MODELS))],
        "kind": "Usage-based",
        "maxMode": False,
        "requestsCosts": 1,
        "isTokenBasedCall": True,
        "isChargeable": True,
        "isHeadless": False,
        "tokenUsage": {
            "inputTokens": number(member.id, index, "in", below=20_000),
            "outputTokens": number(member.id, index, "out", below=4_000),
            "cacheWriteTokens": number(member.id, index, "write", below=9_000),
            "cacheReadTokens": number(member.id, index, "read", below=90_000),
            "totalCents": cents,
        },
        "chargedCents": cents,
        "cursorTokenFee": 0.0,
    }


def pooled_usage() -> JSON:
    now = milliseconds()
    return {
        "pool": {
            "limitCents": 5_000_000,
            "usedCents": 1_234_567,
            "remainingCents": 3_765_433,
            "contractStartDate": iso(now - 100 * DAY_MS),
            "contractEndDate": iso(now + 265 * DAY_MS),
        },
        "teams": [{"teamId": 12345, "usedCents": 1_234_567, "budgetLimitCents": None}],
    }


def team_analytics(report: str) -> JSON:
    today = milliseconds()
    rows = [{"event_date": day(today - back * DAY_MS), "count": number(report, back, below=500)} for back in range(7)]
    return {"data": rows, "params": {"metric": report, "teamId": 12345}}


def analytics_by_user(report: str, members: Sequence[Member], page: int, size: int) -> JSON:
    rows = [
        {"email": member.email, "userId": member.id, **team_analytics(f"{report}/{member.id}")} for member in members
    ]
    chosen, info = paged(rows, page, size)
    return {
        "data": {row["email"]: row["data"] for row in chosen},
        "pagination": {**info, "totalUsers": len(members)},
        "params": {"metric": report, "teamId": 12345},
    }


def commits(members: Sequence[Member]) -> list[JSON]:
    today = milliseconds() // DAY_MS * DAY_MS
    rows = []
    for index in range(42):
        member = members[index % len(members)]
        total = 20 + number("commit", index, below=200)
        tab, composer = number("tab", index, below=total // 2), number("composer", index, below=total // 2)
        rows.append(
            {
                "commitHash": hashlib.sha256(f"commit {index}".encode()).hexdigest()[:40],
                "userId": member.id,
                "userEmail": member.email,
                "repoName": "acme/shop",
                "branchName": "main" if index % 3 else f"feature/{index}",
                "isPrimaryBranch": bool(index % 3),
                "totalLinesAdded": total,
                "tabLinesAdded": tab,
                "composerLinesAdded": composer,
                "nonAiLinesAdded": total - tab - composer,
                "message": f"Make checkout step {index} faster",
                "commitTs": iso(today - index * DAY_MS // 6),
                "createdAt": iso(today - index * DAY_MS // 6),
            }
        )
    return rows


def changes(members: Sequence[Member]) -> list[JSON]:
    return [
        {
            "changeId": row["commitHash"][:16],
            "userId": row["userId"],
            "userEmail": row["userEmail"],
            "source": "COMPOSER" if index % 2 else "TAB",
            "model": MODELS[index % len(MODELS)],
            "totalLinesAdded": row["totalLinesAdded"],
            "totalLinesDeleted": number("deleted", index, below=50),
            "createdAt": row["createdAt"],
        }
        for index, row in enumerate(commits(members))
    ]


def as_csv(rows: Sequence[JSON]) -> Iterator[str]:
    """The header line, then a piece of text per row."""
    line = io.StringIO()
    writer = csv.DictWriter(line, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        yield line.getvalue()
        line.seek(0)
        line.truncate()
        writer.writerow(row)
    yield line.getvalue()
