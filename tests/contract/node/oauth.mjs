// One TypeScript SDK that signs in by OAuth, driven over stdin: `oauth.mjs sdk1|sdk2 URL`. Each line of input is a call
// (`tool`, `arguments`), answered by its `text`, by an `error`, or by the `login` page to open. The next line is then
// the address (`callback`) to which the provider sends the browser.
import { createInterface } from "node:readline";

const [name, url] = process.argv.slice(2);
const [{ Client }, { StreamableHTTPClientTransport }] =
  name === "sdk1"
    ? await Promise.all([
        import("@modelcontextprotocol/sdk/client/index.js"),
        import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      ])
    : await Promise.all([import("@modelcontextprotocol/client"), import("@modelcontextprotocol/client")]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(JSON.stringify(value));
const read = async () => JSON.parse((await lines.next()).value ?? "null");

const kept = {};
const keep = (what) => [() => kept[what], (value) => void (kept[what] = value)];
const [clientInformation, saveClientInformation] = keep("client");
const [tokens, saveTokens] = keep("tokens");
const [codeVerifier, saveCodeVerifier] = keep("verifier");
const [, redirectToAuthorization] = keep("login");
const authProvider = {
  redirectUrl: "http://127.0.0.1:33418/callback",
  clientMetadata: {
    client_name: name,
    redirect_uris: ["http://127.0.0.1:33418/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  },
  state: () => "a-state",
  ...{ clientInformation, saveClientInformation, tokens, saveTokens, codeVerifier, saveCodeVerifier },
  redirectToAuthorization,
};

async function ask({ tool, arguments: given }) {
  kept.login = undefined;
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const client = new Client({ name, version: "1" });
  try {
    await client.connect(transport);
    return (await client.callTool({ name: tool, arguments: given })).content.map((part) => part.text).join("\n");
  } catch (error) {
    if (!kept.login) throw error;
    say({ login: kept.login });
    const { searchParams } = new URL((await read()).callback);
    await transport.finishAuth(name === "sdk1" ? searchParams.get("code") : searchParams);
  } finally {
    await client.close();
  }
  return ask({ tool, arguments: given });
}

for (let asked; (asked = await read()); ) {
  say(await ask(asked).then((text) => ({ text }), (error) => ({ error: String(error) })));
}
