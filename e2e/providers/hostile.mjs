/**
 * An OpenID provider that lies, in the way that the code says which is redeemed: `<lie>.<nonce>`. Prints {issuer} and runs until its standard
 * input ends. Below /huge, /elsewhere, /other and /endless it has a discovery document that is too large, a redirect, of another issuer, and
 * one that never ends.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import * as jose from "jose";

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://localhost:${server.address().port}`;
const own = await jose.generateKeyPair("RS256", { extractable: true });
const other = await jose.generateKeyPair("RS256");
const jwk = { ...(await jose.exportJWK(own.publicKey)), kid: "own", alg: "RS256", use: "sig" };

const metadata = (name) => ({
  issuer: name,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
  token_endpoint_auth_methods_supported: ["none"],
});

async function token(code) {
  const [lie, nonce] = code.split(".");
  const claims = {
    sub: "mallory",
    email: "mallory@example.org",
    email_verified: true,
    preferred_username: "mallory",
    nonce: lie === "nonce" ? "another" : nonce,
  };
  if (lie === "no-nonce") delete claims.nonce;
  if (lie === "at-hash") claims.at_hash = "AAAAAAAAAAAAAAAAAAAAAA";
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: "RS256", kid: "own" };
  const body = new jose.SignJWT(claims)
    .setIssuer(lie === "issuer" ? "https://another.example" : issuer)
    .setAudience(lie === "audience" ? "another" : lie === "audiences" ? ["guard", "another"] : "guard")
    .setIssuedAt(lie === "expired" ? now - 7200 : now)
    .setExpirationTime(lie === "expired" ? now - 3600 : now + 300);
  if (lie === "none") {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = { ...claims, iss: issuer, aud: "guard", iat: now, exp: now + 300 };
    return `${encode({ alg: "none" })}.${encode(text)}.`;
  }
  // The public key as if it were a shared secret.
  if (lie === "hmac") {
    const secret = new TextEncoder().encode(await jose.exportSPKI(own.publicKey));
    return body.setProtectedHeader({ alg: "HS256" }).sign(secret);
  }
  return body.setProtectedHeader(header).sign(lie === "key" ? other.privateKey : own.privateKey);
}

server.on("request", async (request, response) => {
  const json = (value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value));
  const path = request.url.split("?")[0];
  if (path === "/elsewhere/.well-known/openid-configuration") {
    response.writeHead(302, { location: `${issuer}/.well-known/openid-configuration` }).end();
  } else if (path === "/huge/.well-known/openid-configuration") {
    json({ ...metadata(`${issuer}/huge`), padding: "x".repeat(2_000_000) });
  } else if (path === "/other/.well-known/openid-configuration") {
    json(metadata(issuer));
  } else if (path === "/endless/.well-known/openid-configuration") {
    response.writeHead(200, { "content-type": "application/json" }).write("{");
  } else if (path === "/.well-known/openid-configuration") {
    json(metadata(issuer));
  } else if (path === "/keys") {
    json({ keys: [jwk] });
  } else if (path === "/token") {
    let text = "";
    for await (const chunk of request) text += chunk;
    const code = new URLSearchParams(text).get("code");
    json({ access_token: "opaque", token_type: "Bearer", id_token: await token(code) });
  } else {
    response.writeHead(404).end();
  }
});

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
