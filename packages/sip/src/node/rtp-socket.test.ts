// RTP sockets on the real loopback.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatagramSocket } from "../media/index.ts";
import { openRtpSocket } from "./rtp-socket.ts";

for (const address of ["127.0.0.1", "::1"]) {
  test(`RFC 3550 §11, ${address}, an even port, datagrams both ways`, async (context) => {
    const sockets: DatagramSocket[] = [];
    context.after(() => {
      for (const socket of sockets) socket.close();
    });
    const a = await openRtpSocket({ address });
    sockets.push(a);
    const b = await openRtpSocket({ address });
    sockets.push(b);
    assert.equal(a.local.port % 2, 0);
    const answered = new Promise<string>((resolve) => {
      b.onMessage = (bytes, from, port) => b.send(bytes, from, port);
      a.onMessage = (bytes, from, port) => resolve(`${bytes} ${from} ${port}`);
    });
    a.send(Uint8Array.of(1, 2, 3), address, b.local.port);
    assert.equal(await answered, `${Buffer.from([1, 2, 3])} ${address} ${b.local.port}`);
  });
}

test("a range of ports, used up, EADDRINUSE; a foreign address, EADDRNOTAVAIL", async () => {
  const first = await openRtpSocket({ address: "127.0.0.1" });
  const range = { first: first.local.port, last: first.local.port + 1 };
  await assert.rejects(openRtpSocket({ address: "127.0.0.1", ports: range }), { code: "EADDRINUSE" });
  first.close();
  const again = await openRtpSocket({ address: "127.0.0.1", ports: range });
  assert.equal(again.local.port, range.first);
  again.close();
  again.close();
  again.send(Uint8Array.of(1), "127.0.0.1", 9);
  await assert.rejects(openRtpSocket({ address: "203.0.113.1" }), { code: "EADDRNOTAVAIL" });
});
