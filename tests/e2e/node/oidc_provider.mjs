// A certified OpenID provider with a few people, and a door of its own for what an administrator there would do.
// Usage: node oidc_provider.mjs PORT CONSOLE_URL NAME ; the client's secret in OIDC_CLIENT_SECRET.
//
// POST /admin/rotate-keys          a new signing key, and nothing more of the old one
// POST /admin/deactivate?who=NAME  no new tokens for this account, and its grants end
// POST /admin/groups?who=NAME      {"groups": [...]}
//
// A tool that takes tokens for itself has the redirect URI /landed here; for resource=https://gateway.example its access
// tokens are JWTs.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, consoleUrl, name] = process.argv.slice(2);
// Another host than the console has, so that the browser takes them for different sites.
const issuer = `http://localhost:${port}`;
const AUDIENCE = "https://gateway.example";

const people = new Map(
  [
    ["alice", ["eng", "everybody"]],
    ["bob", ["sales", "everybody"]],
    ["carol", ["eng"]],
    ["dave", ["eng"]],
    ["erin", ["eng"]],
    ["frank", ["eng"]],
    ["nora", ["eng"]],
    ["rita", ["eng"]],
  ].map(([login, groups]) => [login, { groups, active: true }]),
);

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

// What is granted, by the id of its grant: revoking takes them away.
const kept = new Map();
class Memory {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload, expiresIn) {
    kept.set(this.key(id), { ...payload, exp: payload.exp ?? Math.floor(Date.now() / 1000) + expiresIn });
  }
  async find(id) {
    const found = kept.get(this.key(id));
    return found && found.exp * 1000 > Date.now() ? found : undefined;
  }
  async findByUid(uid) {
    return [...kept].find(([key, value]) => key.startsWith(`${this.model}:`) && value.uid === uid)?.[1];
  }
  async findByUserCode() {
    return undefined;
  }
  async destroy(id) {
    kept.delete(this.key(id));
  }
  async consume(id) {
    const found = kept.get(this.key(id));
    if (found) found.consumed = Math.floor(Date.now() / 1000);
  }
  async revokeByGrantId(grantId) {
    for (const [key, value] of kept) if (value.grantId === grantId) kept.delete(key);
  }
}

async function findAccount(_context, id) {
  const person = people.get(id);
  if (!person?.active) return undefined;
  return {
    accountId: id,
    claims: async () => ({
      sub: id,
      name: `${id[0].toUpperCase()}${id.slice(1)} Example`,
      email: `${id}@example.com`,
      email_verified: true,
      preferred_username: id,
      groups: person.groups,
    }),
  };
}

function configuration(keys) {
  return {
    adapter: Memory,
    findAccount,
    // Its own way of asking refuses loopback addresses.
    fetch: (url, { method, headers, body, signal }) => fetch(url, { method, headers, body, signal }),
    jwks: { keys },
    cookies: { keys: ["only for tests"] },
    clients: [
      {
        client_id: "ostiary",
        client_secret: process.env.OIDC_CLIENT_SECRET,
        redirect_uris: [`${consoleUrl}/sign-in/${name}/callback`, `${issuer}/landed`],
        post_logout_redirect_uris: [`${consoleUrl}/sign-in`],
        backchannel_logout_uri: `${consoleUrl}/sign-in/${name}/back-channel-logout`,
        backchannel_logout_session_required: true,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    ],
    extraTokenClaims: async (_context, token) => ({
      groups: people.get(token.accountId).groups,
      email: `${token.accountId}@example.com`,
      email_verified: true,
    }),
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "preferred_username", "groups"],
    },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed("refresh_token"),
    loadExistingGrant,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: "use", audience: AUDIENCE, accessTokenFormat: "jwt" }),
      },
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
  };
}

// Everything that the client asks for is granted: consent is the company's, not the person's.
async function loadExistingGrant(context) {
  const grant = new context.oidc.provider.Grant({
    accountId: context.oidc.session.accountId,
    clientId: context.oidc.client.clientId,
  });
  grant.addOIDCScope([...context.oidc.requestParamScopes].join(" "));
  if (context.oidc.params.resource) grant.addResourceScope(AUDIENCE, "use");
  await grant.save();
  return grant;
}

async function logoutSource(context, form) {
  context.body = page(`<h1>Sign out everywhere?</h1>${form}<button name="logout" value="yes" form="op.logoutForm">Sign out</button>`);
}

const page = (body) => `<!doctype html><meta charset="utf-8"><title>Example Inc.</title>${body}`;

let provider;
let calls;
function start(keys) {
  provider = new Provider(issuer, configuration(keys));
  provider.on("server_error", (_context, error) => console.error(error));
  provider.on("backchannel.error", (_context, error) => console.error("back-channel", error));
  calls = provider.callback();
}

async function interact(request, response) {
  const { prompt, uid } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    const again = request.url.includes("unknown") ? "<p>Unknown.</p>" : "";
    response.setHeader("content-type", "text/html");
    response.end(
      page(
        `<h1>Example Inc.</h1>${again}<form method="post" action="/interaction/${uid}">` +
          `<label>Login <input name="login" autofocus></label><button>Continue</button></form><!-- ${prompt.name} -->`,
      ),
    );
    return;
  }
  const login = new URLSearchParams(await text(request)).get("login");
  if (!people.get(login)?.active) {
    response.writeHead(303, { location: `/interaction/${uid}?unknown` }).end();
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: login } });
}

async function administer(request, response) {
  const url = new URL(request.url, issuer);
  const who = url.searchParams.get("who");
  switch (url.pathname) {
    case "/admin/rotate-keys":
      start([newKey()]);
      break;
    case "/admin/deactivate":
      people.get(who).active = false;
      for (const [key, value] of kept) if (value.accountId === who) kept.delete(key);
      break;
    case "/admin/groups":
      people.get(who).groups = JSON.parse(await text(request)).groups;
      break;
    default:
      response.writeHead(404).end();
      return;
  }
  response.setHeader("content-type", "application/json");
  response.end("{}");
}

async function text(request) {
  return Buffer.concat(await request.toArray()).toString("utf8");
}

start([newKey()]);
createServer((request, response) => {
  let answer;
  if (request.url.startsWith("/admin/") && request.method === "POST") answer = administer(request, response);
  else if (request.url.startsWith("/interaction/")) answer = interact(request, response);
  else if (request.url.startsWith("/landed")) response.end("Landed.");
  else answer = calls(request, response);
  Promise.resolve(answer).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
}).listen(Number(port), "127.0.0.1");
