// An OpenID provider (oauth2-mock-server) whose ID tokens are odd in one way at a time; it signs everybody in at once.
// Usage: node odd_tokens.mjs PORT
//
// POST /admin/odd  {"way": "audience"}; the ways are below, "none" is as it should be
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import { OAuth2Issuer, OAuth2Service } from "oauth2-mock-server";

const port = Number(process.argv[2]);
const now = () => Math.floor(Date.now() / 1000);
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const read = (part) => JSON.parse(Buffer.from(part, "base64url"));
const { privateKey: strangersKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const oddClaims = {
  audience: (claims) => (claims.aud = "somebody-else"),
  "two-audiences": (claims) => (claims.aud = ["ostiary", "somebody-else"]),
  "authorized-party": (claims) => (claims.azp = "somebody-else"),
  issuer: (claims) => (claims.iss = "http://localhost:1"),
  nonce: (claims) => (claims.nonce = "0123456789abcdef"),
  "no-nonce": (claims) => delete claims.nonce,
  expired: (claims) => Object.assign(claims, { iat: now() - 7200, nbf: now() - 7200, exp: now() - 3600 }),
  "not-yet-valid": (claims) => Object.assign(claims, { nbf: now() + 3600 }),
  "no-subject": (claims) => delete claims.sub,
  "no-expiry": (claims) => delete claims.exp,
};
const oddTokens = {
  unsigned: ([, body]) => `${base64url({ alg: "none" })}.${body}.`,
  // The public key, which everybody has, taken for a shared secret.
  hs256: ([head, body]) => {
    const start = `${base64url({ ...read(head), alg: "HS256" })}.${body}`;
    return `${start}.${createHmac("sha256", JSON.stringify(issuer.keys.toJSON()[0])).update(start).digest("base64url")}`;
  },
  tampered: ([head, body, signature]) => `${head}.${base64url({ ...read(body), groups: ["eng"] })}.${signature}`,
  "stranger's-key": ([head, body]) =>
    `${head}.${body}.${sign("sha256", Buffer.from(`${head}.${body}`), strangersKey).toString("base64url")}`,
};
let way = "none";

const issuer = new OAuth2Issuer();
issuer.url = `http://localhost:${port}`;
await issuer.keys.generate("RS256");

const service = new OAuth2Service(issuer);
service.on("beforeTokenSigning", ({ payload }) => {
  if (!("aud" in payload)) return; // the access token
  Object.assign(payload, { email: "olga@odd.example", email_verified: true, groups: ["everybody"] });
  oddClaims[way]?.(payload);
});
service.on("beforeResponse", ({ body }) => {
  if (way in oddTokens) body.id_token = oddTokens[way](body.id_token.split("."));
});

createServer(async (request, response) => {
  if (request.method !== "POST" || request.url !== "/admin/odd") {
    service.requestHandler(request, response);
    return;
  }
  ({ way } = JSON.parse(Buffer.concat(await request.toArray()).toString()));
  response.writeHead(way === "none" || way in oddClaims || way in oddTokens ? 200 : 404).end();
}).listen(port, "127.0.0.1");
