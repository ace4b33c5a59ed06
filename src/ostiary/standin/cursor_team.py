"""The team behind the stand-in: people, groups, blocklists, spend limits, model access. Kept in memory."""

import uuid
from dataclasses import dataclass, field

from ostiary.standin.cursor_errors import JSON, ApiError, coded_error, plain_error
from ostiary.standin.cursor_time import iso, milliseconds

TEAM_ID = 12345


@dataclass(slots=True)
class Member:
    number: int
    id: str
    name: str
    email: str
    role: str
    removed: bool = False
    spend_limit_dollars: int | None = None

    def shape(self) -> JSON:
        return {
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "role": self.role,
            "isRemoved": self.removed,
        }


def _members() -> list[Member]:
    people = (
        ("Alex Rivera", "owner"),
        ("Sam Okafor", "member"),
        ("Mina Sato", "member"),
        ("Jonas Weber", "member"),
        ("Priya Nair", "member"),
    )
    return [
        Member(
            number=number,
            id=f"user_PDSP{number:06d}",
            name=name,
            email=f"{name.split()[0].lower()}@example.com",
            role=role,
        )
        for number, (name, role) in enumerate(people, start=41)
    ]


def _parameter(id: str, name: str, supported: list[str], default: str) -> JSON:
    return {
        "id": id,
        "displayName": name,
        "supportedValues": supported,
        "allowedValues": list(supported),
        "configuredDefaultValue": default,
        "catalogDefaultValue": default,
    }


def _model(id: str, name: str, *parameters: JSON) -> JSON:
    return {"id": id, "displayName": name, "enabled": True, "parameters": list(parameters)}


def _providers() -> list[JSON]:
    reasoning = ["low", "medium", "high", "xhigh", "max"]
    return [
        {
            "id": "openai",
            "displayName": "OpenAI",
            "enabled": True,
            "models": [
                _model("gpt-5.4", "GPT-5.4", _parameter("reasoning", "Reasoning", reasoning, "medium")),
                _model("gpt-5.4-mini", "GPT-5.4 mini"),
            ],
        },
        {
            "id": "cursor",
            "displayName": "Cursor",
            "enabled": True,
            "models": [_model("composer-2", "Composer 2", _parameter("fast", "Fast", ["true", "false"], "false"))],
        },
    ]


@dataclass(slots=True)
class Team:
    members: list[Member] = field(default_factory=_members)
    blocklists: list[JSON] = field(
        default_factory=lambda: [
            {"id": "repo_123", "url": "https://github.com/acme/shop", "patterns": ["*.env", "secrets/**"]}
        ]
    )
    groups: dict[str, JSON] = field(default_factory=dict)
    providers: list[JSON] = field(default_factory=_providers)
    model_access: JSON = field(
        default_factory=lambda: {
            "teamId": TEAM_ID,
            "state": "unrestricted",
            "newProviderDefault": None,
            "newModelDefault": None,
        }
    )
    audit_events: list[JSON] = field(default_factory=list)
    settings: dict[str, JSON] = field(
        default_factory=lambda: {
            "access": {"mode": "everyone", "members": []},
            "network": {"mode": "allowlist", "hosts": ["registry.npmjs.org"]},
            "auto-review": {"enabled": False},
            "capabilities": {"terminal": True, "browser": False},
        }
    )

    def __post_init__(self) -> None:
        self.add_group({"name": "Backend"})
        self.note("login", self.members[0].email, {})

    def note(self, event_type: str, email: str, data: JSON) -> None:
        """Add an event to the team's audit log."""
        self.audit_events.insert(
            0,
            {
                "event_id": f"evt_{uuid.uuid4().hex[:16]}",
                "timestamp": iso(),
                "ip_address": "203.0.113.7",
                "user_email": email,
                "event_type": event_type,
                "event_data": data,
            },
        )

    def present(self) -> list[Member]:
        return [member for member in self.members if not member.removed]

    def find(self, *, email: object = None, id: object = None) -> Member | None:
        return next(
            (
                member
                for member in self.present()
                if (email is not None and member.email == email)
                or (id is not None and id in (member.id, member.number, str(member.number)))
            ),
            None,
        )

    # people and money

    def remove_member(self, body: JSON) -> JSON:
        if ("userId" in body) == ("email" in body):
            raise ApiError(400, {"error": "Either userId or email must be provided"})
        member = self.find(email=body.get("email"), id=body.get("userId"))
        if member is None:
            raise ApiError(400, {"error": "User is not a member of this team"})
        member.removed = True
        self.note("remove_user", self.members[0].email, {"removedUser": member.id})
        return {"success": True, "userId": member.id, "hasBillingCycleUsage": True}

    def set_spend_limit(self, body: JSON) -> JSON:
        email, dollars = body.get("userEmail"), body.get("spendLimitDollars")
        if not isinstance(email, str) or "@" not in email:
            return {"outcome": "error", "message": "Invalid email format"}
        member = self.find(email=email)
        if member is None:
            return {"outcome": "error", "message": "User is not a member of this team"}
        if dollars is not None and (not isinstance(dollars, int) or isinstance(dollars, bool) or dollars < 0):
            return {"outcome": "error", "message": "spendLimitDollars must be a non-negative integer or null"}
        member.spend_limit_dollars = dollars
        self.note("user_spend_limit", self.members[0].email, {"userEmail": email, "limit": dollars})
        said = "removed" if dollars is None else f"set to ${dollars}"
        return {"outcome": "success", "message": f"Spend limit {said} for user {email}"}

    # blocklists

    def upsert_blocklists(self, body: JSON) -> JSON:
        for wanted in body.get("repos", []):
            known = next((entry for entry in self.blocklists if entry["url"] == wanted["url"]), None)
            if known is None:
                known = {"id": f"repo_{uuid.uuid4().hex[:8]}", "url": wanted["url"], "patterns": []}
                self.blocklists.append(known)
            known["patterns"] = list(wanted.get("patterns", []))
        return {"repos": self.blocklists}

    def delete_blocklist(self, id: str) -> None:
        kept = [entry for entry in self.blocklists if entry["id"] != id]
        if len(kept) == len(self.blocklists):
            raise plain_error(404, "Not Found", "Repository not found")
        self.blocklists = kept

    # billing groups

    def add_group(self, body: JSON) -> JSON:
        id = f"group_{uuid.uuid4().hex[:12]}" if self.groups else "group_backend"
        self.groups[id] = {
            "id": id,
            "name": body.get("name", "Group"),
            "type": "BILLING",
            "directoryGroupId": body.get("directoryGroupId"),
            "memberCount": 0,
            "spendCents": 0,
            "currentMembers": [],
            "formerMembers": [],
            "dailySpend": [],
        }
        return self.groups[id]

    def group(self, id: str) -> JSON:
        if id not in self.groups:
            raise plain_error(404, "Not Found", "Group not found")
        return self.groups[id]

    def change_group_members(self, id: str, body: JSON, *, add: bool) -> JSON:
        group = self.group(id)
        for user in body.get("userIds", []):
            group["currentMembers"] = [entry for entry in group["currentMembers"] if entry["userId"] != user]
            target = group["currentMembers"] if add else group["formerMembers"]
            target.append({"userId": user, "joinedAt" if add else "leftAt": iso()})
        group["memberCount"] = len(group["currentMembers"])
        return group

    def groups_shape(self) -> JSON:
        now = milliseconds()
        return {
            "groups": list(self.groups.values()),
            "unassignedGroup": {"memberCount": len(self.present()), "spendCents": 0},
            "billingCycle": {"cycleStart": iso(now - 10 * 86_400_000), "cycleEnd": iso(now + 20 * 86_400_000)},
        }

    # model access

    def set_model_access(self, body: JSON) -> JSON:
        if body.get("state") == "unrestricted":
            self.model_access.update(state="unrestricted", newProviderDefault=None, newModelDefault=None)
            self.providers = _providers()
        elif {"newProviderDefault", "newModelDefault"} & body.keys():
            for key in ("newProviderDefault", "newModelDefault"):
                if body.get(key, "enabled") not in ("enabled", "disabled"):
                    raise coded_error(400, f"{key} must be enabled or disabled")
            self.model_access.update(
                state="custom",
                newProviderDefault=body.get("newProviderDefault", "enabled"),
                newModelDefault=body.get("newModelDefault", "enabled"),
            )
        else:
            raise coded_error(400, "Give state or newProviderDefault and newModelDefault")
        self.note("team_settings", self.members[0].email, {"modelAccess": self.model_access["state"]})
        return self.model_access

    def restricted_providers(self) -> list[JSON]:
        if self.model_access["state"] == "unrestricted":
            raise coded_error(409, "Model access is unrestricted; set a configuration first")
        return self.providers

    def provider(self, id: str) -> JSON:
        for provider in self.restricted_providers():
            if provider["id"] == id:
                return provider
        raise coded_error(404, "Provider not found")

    def set_provider(self, id: str, body: JSON) -> JSON:
        provider = self.provider(id)
        if not isinstance(body.get("enabled"), bool):
            raise coded_error(400, "enabled must be true or false")
        provider["enabled"] = body["enabled"]
        return provider

    def set_model(self, provider_id: str, model_id: str, body: JSON) -> JSON:
        provider = self.provider(provider_id)
        model = next((entry for entry in provider["models"] if entry["id"] == model_id), None)
        if model is None:
            raise coded_error(404, "Model not found")
        for name, wanted in body.get("parameters", {}).items():
            parameter = next((entry for entry in model["parameters"] if entry["id"] == name), None)
            if parameter is None or not set(wanted.get("allowedValues", [])) <= set(parameter["supportedValues"]):
                raise coded_error(400, f"Unsupported value for parameter {name}")
            parameter["allowedValues"] = wanted.get("allowedValues", parameter["allowedValues"])
            parameter["configuredDefaultValue"] = wanted.get("defaultValue", parameter["allowedValues"][0])
        model["enabled"] = body.get("enabled", model["enabled"])
        return {**model, "provider": provider_id}
