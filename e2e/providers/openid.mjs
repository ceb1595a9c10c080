/**
 * An OpenID provider that is not ours (the package oidc-provider), for the server's tests and the browser journeys.
 *
 * The argument is JSON: {accounts: {name: claims}}. Any password signs in. Prints {issuer} and runs until its standard input ends.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { accounts } = JSON.parse(process.argv[2] ?? "{}");
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://localhost:${server.address().port}`;

const back = ["http://localhost:8080/api/v1/sessions/oidc/any/callback"];
const provider = new Provider(issuer, {
  clients: [
    { client_id: "guard", client_secret: "the secret of guard", redirect_uris: back },
    { client_id: "guard-public", token_endpoint_auth_method: "none", redirect_uris: back },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "preferred_username", "groups"],
  },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  cookies: { keys: ["throw-away"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
});
// A provider's id is part of the address, and differs from test to test.
provider.Client.prototype.redirectUriAllowed = (uri) =>
  /^http:\/\/(?:localhost|127\.0\.0\.1):\d+\/api\/v1\/sessions\/oidc\/[0-9a-f-]{36}\/callback$/.test(uri);
provider.Client.prototype.postLogoutRedirectUriAllowed = (uri) =>
  /^http:\/\/(?:localhost|127\.0\.0\.1):\d+\/$/.test(uri);
server.on("request", provider.callback());

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
