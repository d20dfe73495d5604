// One TypeScript SDK, driven over stdin as tests/clients/bridge.py is: `bridge.mjs sdk1|sdk2 URL` or `… COMMAND ARGUMENT…`.
import { createInterface } from "node:readline";

const [name, ...target] = process.argv.slice(2);
const [{ Client }, { StreamableHTTPClientTransport }, { StdioClientTransport }] =
  name === "sdk1"
    ? await Promise.all([
        import("@modelcontextprotocol/sdk/client/index.js"),
        import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
        import("@modelcontextprotocol/sdk/client/stdio.js"),
      ])
    : await Promise.all([
        import("@modelcontextprotocol/client"),
        import("@modelcontextprotocol/client"),
        import("@modelcontextprotocol/client/stdio"),
      ]);
const [command, ...args] = target;
const transport =
  target.length === 1
    ? new StreamableHTTPClientTransport(new URL(command))
    : new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" });
const client = new Client({ name: "bridge", version: "1" });
await client.connect(transport);
const say = (value) => console.log(JSON.stringify(value));
say(Object.fromEntries((await client.listTools()).tools.map((tool) => [tool.name, tool.inputSchema])));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const result = await client.callTool({ name: asked.tool, arguments: asked.arguments });
  say({ text: result.content.map((part) => part.text).join("\n"), structured: result.structuredContent });
}
await client.close();
