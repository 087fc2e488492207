import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVia } from "../message/index.ts";
import { datagramResponseTarget, viaAdditions } from "./response-routing.ts";

test("§18.2.1, a link-local source: received without its zone, the response with it", () => {
  const source = { address: "fe80::1%eth0", port: 5060 };
  const via = "SIP/2.0/UDP [fe80::1]:5060;branch=z9hG4bKa;rport";
  assert.deepEqual(viaAdditions(parseVia(via), source), { received: "fe80::1", rport: 5060 });
  const added = parseVia(`${via}=5060;received=fe80::1`);
  assert.deepEqual(datagramResponseTarget(added, source), source);
});

test("§18.2.2, a response whose Via is all we have: received and rport decide", () => {
  const nowhere = { address: "0.0.0.0", port: 0 };
  const via = parseVia("SIP/2.0/UDP a.example;received=192.0.2.9;rport=6000;branch=z9hG4bKa");
  assert.deepEqual(datagramResponseTarget(via, nowhere), { address: "192.0.2.9", port: 6000 });
});
