"""What is particular about identity providers people have: defaults for a configuration, and what to look out for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ostiary.model.issuer import GroupsFrom, OidcIssuer

STANDARD_LOGOUT = "post_logout_redirect_uri"

_SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class Preset:
    """`issuer_form` is a regular expression for the whole issuer; `issuer_example` shows it to people.

    `groups_max`: with that many groups or more the list may have been cut off; None when the provider says so itself,
    or never cuts. `says_groups`: whether it can say groups at all. `says_when`: whether its ID tokens tell when
    somebody last signed in (`auth_time`); without that a step-up proves only that they are signed in there.
    `access_mark` is one that its access tokens have, and its ID tokens never. `authorization_parameters` are sent with
    every sign-in, beside those of OpenID Connect; `logout_parameter` is what its sign-out page calls the way back.
    """

    name: str
    title: str
    issuer_form: str
    issuer_example: str
    scopes: tuple[str, ...] = _SCOPES
    user_claim: str = "email"
    trust_email: bool = False
    groups_claim: str = "groups"
    groups_from: GroupsFrom = GroupsFrom.ID_TOKEN
    groups_max: int | None = None
    says_groups: bool = True
    says_when: bool = True
    access_mark: str = ""
    authorization_parameters: tuple[tuple[str, str], ...] = ()
    logout_parameter: str = STANDARD_LOGOUT
    notes: tuple[str, ...] = ()

    def defaults(self, issuer: OidcIssuer) -> OidcIssuer:
        """`issuer` with everything that the preset decides."""
        return replace(
            issuer,
            preset=self.name,
            scopes=self.scopes,
            user_claim=self.user_claim,
            trust_email=self.trust_email,
            groups_claim=self.groups_claim,
            groups_from=self.groups_from,
        )

    def doubt(self, issuer: str) -> str:
        """A sentence for `doctor` when `issuer` does not look like one of this provider; else empty."""
        if re.fullmatch(self.issuer_form, issuer):
            return ""
        return f"{self.title} issuers look like {self.issuer_example}."


@dataclass(frozen=True, slots=True)
class WorkloadPreset:
    """`issuer` is empty where every installation has its own. `claims` are those worth a condition."""

    name: str
    title: str
    issuer: str
    issuer_example: str
    claims: tuple[str, ...]
    notes: tuple[str, ...] = ()


_HOST = r"[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]+)?"

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                "okta",
                "Okta",
                rf"https://{_HOST}(?:/oauth2/[A-Za-z0-9]+)?",
                "https://example.okta.com, or https://example.okta.com/oauth2/default",
                scopes=(*_SCOPES, "groups"),
                # Its ID tokens of the code flow leave out what userinfo can tell.
                groups_from=GroupsFrom.USERINFO,
                groups_max=100,
                notes=(
                    "The application needs a groups claim named `groups`: a filter, or an expression.",
                    "A custom authorization server needs a scope and a claim `groups` of its own, or it refuses.",
                    "Okta cuts lists of groups off at 100 without saying so: filter for those that are used here.",
                ),
            ),
            Preset(
                "entra",
                "Entra ID",
                r"https://login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)/"
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/v2\.0",
                "https://login.microsoftonline.com/TENANT-ID/v2.0, with the tenant's id and never `common`",
                # `email` is what somebody typed into their profile.
                user_claim="preferred_username",
                access_mark="scp",
                notes=(
                    "Add the groups claim under Token configuration; groups are their object ids.",
                    "Beyond 200 groups the token has none: choose 'Groups assigned to the application', or use SCIM.",
                    "Add the optional claim `auth_time` to ID tokens; approving needs a recent sign-in that is proven.",
                    "Its access tokens are accepted for the client id, in version 2 (`requestedAccessTokenVersion`).",
                ),
            ),
            Preset(
                "google",
                "Google",
                r"https://accounts\.google\.com",
                "https://accounts.google.com",
                says_groups=False,
                says_when=False,
                # A refresh token comes for the first alone, and every time only with the second.
                authorization_parameters=(("access_type", "offline"), ("prompt", "consent")),
                notes=(
                    "The consent screen's user type must be Internal, or everybody with a Google account can sign in.",
                    "Google does not say groups: list members by name, or provision groups with SCIM.",
                    "Google does not say when somebody last signed in: a step-up only shows that they still are.",
                ),
            ),
            Preset(
                "auth0",
                "Auth0",
                rf"https://{_HOST}/",
                "https://example.eu.auth0.com/, with the slash at its end",
                groups_claim="https://ostiary/groups",
                notes=(
                    "Groups need an Action after the login that sets the claim https://ostiary/groups.",
                    "Choose RS256 for the application; tokens signed with the client secret are not accepted.",
                ),
            ),
            Preset(
                "keycloak",
                "Keycloak",
                rf"https?://{_HOST}(?:/[A-Za-z0-9._-]+)*/realms/[^/?#]+",
                "https://keycloak.example/realms/REALM",
                user_claim="preferred_username",
                notes=(
                    "Groups need a mapper of type Group Membership, claim `groups`, 'Full group path' off.",
                    "For realm roles instead of groups take the claim `realm_access.roles`.",
                    "Leave 'Edit username' off in the realm, or people choose what rules call them.",
                ),
            ),
            Preset(
                "jumpcloud",
                "JumpCloud",
                r"https://oauth\.id\.(?:[a-z]+\.)?jumpcloud\.com/",
                "https://oauth.id.jumpcloud.com/, with the slash at its end",
                trust_email=True,  # set by the directory's administrators only
                notes=("Include a group attribute named `groups` in the application's attribute mapping.",),
            ),
            Preset(
                "onelogin",
                "OneLogin",
                r"https://[a-z0-9-]+\.onelogin\.com/oidc/2",
                "https://example.onelogin.com/oidc/2",
                scopes=(*_SCOPES, "groups"),
                trust_email=True,  # set by the directory's administrators only
                notes=("Set the application's Groups parameter to what shall be told, roles or groups.",),
            ),
            Preset(
                "cognito",
                "Cognito",
                r"https://cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[a-z0-9-]+_[A-Za-z0-9]+",
                "https://cognito-idp.REGION.amazonaws.com/POOL-ID",
                groups_claim="cognito:groups",
                logout_parameter="logout_uri",
                notes=(
                    "Take an app client for OpenID Connect with the authorization code grant.",
                    "Its access tokens have no audience, so they cannot be accepted in place of gateway tokens.",
                ),
            ),
        )
    }
)

WORKLOAD_PRESETS: Mapping[str, WorkloadPreset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            WorkloadPreset(
                "github",
                "GitHub Actions",
                "https://token.actions.githubusercontent.com",
                "https://token.actions.githubusercontent.com",
                ("repository", "repository_id", "repository_owner_id", "ref", "environment", "job_workflow_ref", "sub"),
                (
                    "Everybody on GitHub gets tokens of it: a condition on the repository or its owner is a must.",
                    "Names of owners can be taken over after they are given up; repository_owner_id cannot.",
                ),
            ),
            WorkloadPreset(
                "gitlab",
                "GitLab CI",
                "https://gitlab.com",
                "https://gitlab.com, or the address of your own",
                (
                    "project_path",
                    "project_id",
                    "namespace_id",
                    "ref",
                    "ref_type",
                    "ref_protected",
                    "environment",
                    "sub",
                ),
                ("On gitlab.com everybody gets tokens: a condition on the project or the namespace is a must.",),
            ),
            WorkloadPreset(
                "kubernetes",
                "Kubernetes service accounts",
                "",
                "https://kubernetes.default.svc.cluster.local, or what `/.well-known/openid-configuration` says",
                (
                    "sub",
                    "kubernetes.io.namespace",
                    "kubernetes.io.serviceaccount.name",
                    "kubernetes.io.serviceaccount.uid",
                ),
                (
                    "Take projected tokens with this installation's audience; old ones without an end are refused.",
                    "Where the cluster's address is private, give the key set as a file.",
                ),
            ),
            WorkloadPreset(
                "spiffe",
                "SPIFFE JWT-SVID",
                "",
                "the `iss` that your SPIRE server sets",
                ("sub",),
                (
                    "Give the trust domain's JWT bundle as keys; `sub` is the SPIFFE ID.",
                    "In `spiffe://example/ci/*` the star stands for one more segment, and no further ones.",
                ),
            ),
        )
    }
)
