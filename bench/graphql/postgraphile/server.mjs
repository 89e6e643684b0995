// Serves on a free loopback port and prints it. `--schema` prints the schema instead.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { preset } from "./preset.mjs";

const made = postgraphile(preset);
if (process.argv.includes("--schema")) {
  const { printSchema } = await import("postgraphile/graphql");
  console.log(printSchema(await made.getSchema()));
  process.exit(0);
}
const server = createServer();
server.keepAliveTimeout = 60_000;
await made.createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.on("SIGTERM", () => process.exit(0));
