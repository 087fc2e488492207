// What the greeting of `offhook serve` tells people to connect to is where the server listens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { phonePlaces } from "./serve.ts";

const own = ["192.168.1.5", "2001:db8::5"];
const rows: [bound: string, places: string[], here: string][] = [
  ["udp 127.0.0.1:5060", ["127.0.0.1:5060"], "127.0.0.1"],
  ["udp 127.0.0.1:15060", ["127.0.0.1:15060"], "127.0.0.1:15060"],
  ["udp 192.168.1.5:5060", ["192.168.1.5:5060"], "192.168.1.5"],
  ["udp 0.0.0.0:5060", ["192.168.1.5:5060"], "127.0.0.1"],
  ["udp [::1]:5060", ["[::1]:5060"], "[::1]"],
  ["udp [::]:5070", ["[2001:db8::5]:5070"], "[::1]:5070"],
  ["tcp 0.0.0.0:5060 (as sip.example.com:5060)", ["192.168.1.5:5060"], "127.0.0.1"],
];
for (const [bound, places, here] of rows) {
  test(`greeting of ${bound}: phones to ${places.join()}, commands to ${here}`, () =>
    assert.deepEqual(phonePlaces(bound, own), { places, here }));
}
