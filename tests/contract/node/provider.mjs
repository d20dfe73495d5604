// An OpenID provider on loopback: `provider.mjs ISSUER KEYS`. KEYS is a file with a JWKS of private keys; the first signs.
// Any login and password will do. Its access tokens are JWTs for the resource that the client names (RFC 8707).
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

process.stdin.resume().on("end", () => process.exit()); // it ends with the test that started it
const [issuer, file] = process.argv.slice(2);
const { pathname, port } = new URL(issuer);
const jwks = JSON.parse(readFileSync(file, "utf8"));
const scope = "batches:read batches:export";
const tenants = { acme: ["acme"], late: ["acme"], agent: ["globex", "initech"] }; // of people, and of a program

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "agent",
      client_secret: "secret-of-the-agent",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: ["key-of-the-cookies"] },
  // Clients register with the scopes that they know of. This lets them ask for others later.
  extraClientMetadata: { properties: ["any_scope"], validator: (_ctx, _key, _value, client) => void delete client.scope },
  extraTokenClaims: (_, token) => ({ tenants: tenants[token.accountId ?? token.clientId] }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope,
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: jwks.keys[0].alg } },
      }),
      useGrantedResource: () => true,
    },
  },
  formats: {
    customizers: {
      // The first token of `late` is out of date; those that it gets for its refresh token are not.
      jwt: (_, { accountId, gty }, { payload }) => {
        if (accountId === "late" && gty === "authorization_code") payload.exp = payload.iat - 60;
      },
    },
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
  jwks,
  scopes: ["openid", "offline_access", ...scope.split(" ")],
});

const serve = provider.callback();
createServer((request, response) => {
  const prefix = pathname.replace(/\/$/, "");
  if (!request.url.startsWith(`${prefix}/`)) return response.writeHead(404).end();
  request.originalUrl = request.url; // from which the provider takes the prefix, as it does in a framework
  request.url = request.url.slice(prefix.length);
  return serve(request, response);
}).listen(Number(port), "127.0.0.1", () => console.log("listening"));
