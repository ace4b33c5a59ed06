"""Keys that the outside contract defines and this version does not enforce, with what leaving them out would mean.

They are errors and not warnings: a restriction that is silently ignored is worse than a file that is refused.
"""

DOCUMENT = {
    "notifiers": "leave approvers to look at `ostiary approvals list` themselves",
    "exporters": "keep the audit log on this machine only",
}

RULE = {
    "when": "make the rule hold for every request of its operations",
    "limits": "let its actors send as much as they like",
}

APPROVAL = {"by": "let everybody approve who has the permission approvals.decide"}

_OTHER_PROVIDER = "need the value in the embedded store, an environment variable or a file"
SECRET_PROVIDERS = dict.fromkeys(("vault", "aws-sm", "openbao", "gcp-sm", "azure-kv"), _OTHER_PROVIDER)
