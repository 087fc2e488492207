// The library does not import the package that makes its UDP sockets faster: here they are held together.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as udpBatch from "@offhook/udp-batch";
import { BatchedUdpSocket, type BatchModule, loadBatchModule } from "./batched-udp.ts";
import type { SocketHost } from "./host.ts";

test("the package is what the library takes it for, and is found by it", async () => {
  const expected: BatchModule = udpBatch;
  const found = await loadBatchModule();
  if (udpBatch.isAvailable) assert.equal(found, expected);
  else assert.match(String(found), /^@offhook\/udp-batch: /);
});

test("the versions belong together", () => {
  const manifest = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../../${name}/package.json`, import.meta.url), "utf8"));
  const { version } = manifest("udp-batch");
  assert.equal(manifest("sip").peerDependencies["@offhook/udp-batch"], version);
  assert.equal(manifest("sip").peerDependenciesMeta["@offhook/udp-batch"].optional, true);
  assert.equal(manifest("server").dependencies["@offhook/udp-batch"], version);
});

// batches of a socket that takes four at once: when (milliseconds), of how many; how long some have waited, and when asked
const backlogs: readonly [
  title: string,
  batches: [at: number, count: number][],
  asked: number,
  time: number,
][] = [
  ["nothing came", [], 5000, 0],
  ["little came", [[1000, 3]], 1000, 0],
  [
    "full from the first on",
    [
      [1000, 4],
      [1050, 4],
      [1120, 4],
    ],
    1150,
    150,
  ],
  [
    "taken up in between",
    [
      [1000, 4],
      [1050, 2],
      [1060, 4],
      [1110, 4],
    ],
    1120,
    60,
  ],
  ["one full batch, long ago", [[1000, 4]], 1101, 0],
];
for (const [title, batches, asked, time] of backlogs) {
  test(`a backlog of datagrams: ${title}`, async () => {
    let now = 0;
    let onBatch = (_count: number) => {};
    class FourAtOnce {
      readonly address = "127.0.0.1";
      readonly port = 5060;
      readonly receiveBufferSize = 0;
      readonly sendBufferSize = 0;
      readonly batchSize = 4;
      constructor(options: { onBatch(count: number): void }) {
        onBatch = (count) => options.onBatch(count);
      }
      bytes = () => new Uint8Array(0);
      peer = () => ({ address: "127.0.0.1", port: 5070, data: undefined });
      peerAt = () => undefined;
      send() {}
      close() {}
    }
    const host = {
      clock: { now: () => now, schedule: () => ({ cancel() {} }) },
      stack: { receive() {}, acceptFlow: () => undefined } as unknown as SocketHost["stack"],
      afterInput() {},
      report() {},
    };
    const module: BatchModule = { BatchSocket: FourAtOnce, isAvailable: true, whyUnavailable: undefined };
    const options = { transport: "UDP", address: "127.0.0.1", bufferSize: 0 } as const;
    const socket = new BatchedUdpSocket(module, host, 1, options);
    for (const [at, count] of batches) {
      now = at;
      onBatch(count);
    }
    now = asked;
    assert.equal(socket.backlogTime, time);
  });
}
