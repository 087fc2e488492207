// The client's end of the admin socket: whatever happens to the server, one clear error and no hanging.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RemoteAdministration } from "./admin.ts";

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
const ends: [title: string, answer: (socket: Socket) => void][] = [
  ["closes without a word", (socket) => socket.end()],
  ["ends in the middle of its answer", (socket) => socket.end(`${head} 100\r\n\r\n[{"user":`)],
  ["answers what is no JSON", (socket) => socket.end(`${head} 9\r\n\r\n<b>no</b>`)],
];

for (const [title, answer] of ends) {
  test(`admin socket: a server that ${title}: AdministrationError`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "offhook-admin-"));
    const path = join(folder, "admin.sock");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => answer(socket));
    });
    server.listen(path);
    await once(server, "listening");
    t.after(() => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    await assert.rejects(new RemoteAdministration(path).users(), { code: "OFFHOOK_ADMIN" });
  });
}
