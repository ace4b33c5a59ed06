// A SAML identity provider (samlp) with switches for what it signs, and with which key.
// Usage: node saml_provider.mjs PORT CONSOLE_URL NAME KEYS ; KEYS has first.key, first.pem, second.key and second.pem.
//
// GET  /metadata
// GET  /sign-on                    asks for a login, and sends the browser back with the answer
// POST /admin/sign                 {"response": true, "assertion": true, "with": "first", "publish": ["first"]}
// POST /admin/assertion?who=LOGIN  an assertion for the token endpoint (RFC 7522), signed
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import express from "express";
import samlp from "samlp";

const { Saml20 } = createRequire(createRequire(import.meta.url).resolve("samlp"))("saml");
const [port, consoleUrl, name, keys] = process.argv.slice(2);
const base = `http://localhost:${port}`;
const issuer = `${base}/metadata`;
const acs = `${consoleUrl}/saml/${name}/acs`;
const read = (which, ending) => readFileSync(`${keys}/${which}.${ending}`, "utf8");

const people = { paula: ["eng", "everybody"], peter: ["sales"] };
let signing = { response: true, assertion: true, with: "first", publish: ["first"] };

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));

app.get("/metadata", (request, response) => {
  const kept = { set() {}, send: (xml) => void (kept.xml = xml) };
  samlp.metadata({
    issuer,
    cert: read(signing.publish[0], "pem"),
    redirectEndpointPath: "/sign-on",
    postEndpointPath: "/sign-on",
  })(request, kept);
  const [whole] = kept.xml.match(/<KeyDescriptor[\s\S]*?<\/KeyDescriptor>/);
  const [plain] = kept.xml.match(/<X509Certificate>[\s\S]*?<\/X509Certificate>/);
  const more = signing.publish.slice(1).map((which) => {
    const body = read(which, "pem").replace(/-----[^-]+-----|\s/g, "");
    return whole.replace(plain, `<X509Certificate>${body}</X509Certificate>`);
  });
  response.type("application/samlmetadata+xml").send(kept.xml.replace(whole, [whole, ...more].join("")));
});

app.get("/sign-on", (request, response) => {
  const kept = Object.entries(request.query)
    .map(([key, value]) => `<input type="hidden" name="${key}" value="${value.replace(/"/g, "&quot;")}">`)
    .join("");
  response.send(
    `<!doctype html><title>Paper Mill</title><h1>Paper Mill</h1><form method="post" action="/sign-on">${kept}` +
      '<label>Login <input name="login" autofocus></label><button>Continue</button></form>',
  );
});

app.post("/sign-on", (request, response, next) => {
  request.user = user(request.body.login);
  if (request.user === undefined) return response.status(403).send("Unknown.");
  // samlp inflates what came in the query only.
  const { SAMLRequest, RelayState } = request.body;
  Object.defineProperty(request, "query", { value: { SAMLRequest, RelayState } });
  request.method = "GET";
  samlp.auth({
    issuer,
    cert: read(signing.with, "pem"),
    key: read(signing.with, "key"),
    signResponse: signing.response,
    signAssertion: signing.assertion,
    destination: acs,
    recipient: acs,
    lifetimeInSeconds: 300,
    authnContextClassRef: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    sessionIndex: `_${randomBytes(16).toString("hex")}`,
    getPostURL: (_audience, _dom, _request, callback) => callback(null, acs),
  })(request, response, next);
});

app.post("/admin/sign", (request, response) => {
  signing = { ...signing, ...request.body };
  response.json(signing);
});

app.post("/admin/assertion", (request, response, next) => {
  const login = request.query.who;
  Saml20.create(
    {
      issuer,
      cert: read(signing.with, "pem"),
      key: read(signing.with, "key"),
      signatureAlgorithm: "rsa-sha256",
      digestAlgorithm: "sha256",
      lifetimeInSeconds: 300,
      audiences: [`${consoleUrl}/saml/${name}/metadata`],
      recipient: `${consoleUrl}/oauth/token`,
      attributes: { "http://schemas.passportjs.com/groups": people[login] },
      nameIdentifier: `${login}@paper.example`,
      sessionIndex: `_${randomBytes(16).toString("hex")}`,
    },
    (error, assertion) => (error ? next(error) : response.json({ assertion })),
  );
});

function user(login) {
  if (!(login in people)) return undefined;
  const shown = login[0].toUpperCase() + login.slice(1);
  return {
    id: `${login}@paper.example`,
    emails: [{ value: `${login}@paper.example` }],
    displayName: `${shown} Example`,
    name: { givenName: shown, familyName: "Example" },
    groups: people[login],
  };
}

app.listen(Number(port), "127.0.0.1");
