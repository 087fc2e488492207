import assert from "node:assert/strict";
import { test } from "node:test";
import { tcpWire, tcpWireServer, udpWire } from "../node/wire.ts";
import { WireMismatch, WirePeer } from "./index.ts";

const invite = `
  INVITE sip:bob@{peerHost}:{peerPort} SIP/2.0
  Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1
  From: <sip:alice@example.com>;tag=77
  To: <sip:bob@example.com>
  Call-ID: abc
  CSeq: 1 INVITE
  Content-Length: {length}

  v=0
  s=é`;

async function pair(): Promise<{ alice: WirePeer; bob: WirePeer; close(): Promise<void> }> {
  const bob = new WirePeer(await udpWire());
  const alice = new WirePeer(await udpWire(), { remote: bob.wire.local });
  return {
    alice,
    bob,
    close: async () => {
      await alice.close();
      await bob.close();
    },
  };
}

test("wire peer: text out, patterns and captures in, over UDP", async () => {
  const { alice, bob, close } = await pair();
  alice.send(invite);
  const first = await bob.expect(`
    INVITE sip:bob@{host}:{port} SIP/2.0
    via: SIP/2.0/UDP {sender};branch={branch:z9hG4bK\\w+}
    Content-Length: 11
    !Route: {*}

    v=0`);
  assert.equal(first["sender"], `127.0.0.1:${alice.wire.local.port}`);
  assert.equal(first["branch"], "z9hG4bK1");
  bob.reply("100 Trying");
  bob.reply("200 OK", "Contact: <sip:bob@{host}:{port}>", "", "v=0");
  await alice.expect("SIP/2.0 100 Trying\nTo: <sip:bob@example.com>");
  const answer = await alice.expect(`SIP/2.0 200 OK
    To: <sip:bob@example.com>;tag={tag}
    Call-ID: {id:a.c}
    Contact: <sip:bob@{peerHost}:{peerPort}>`);
  assert.deepEqual([answer["tag"], answer["id"]], ["wire", "abc"]);
  assert.match(answer.text, /Content-Length: 5\r\n\r\nv=0\r\n$/);
  await close();
});

// title                                        pattern                                     complaint
const mismatches: [string, string, RegExp][] = [
  ["another start line", "BYE {*} SIP/2.0", /no match for\s+BYE/],
  ["a field that is missing", "INVITE {*}\nRoute: {*}", /no match for\s+Route/],
  ["a field that must be missing", "INVITE {*}\n!To: {*}", /no match for\s+!To/],
  ["a second value of a captured name", "INVITE {*}\nFrom: {x}\nTo: {x}", /no match for\s+To/],
  ["a body line", "INVITE {*}\n\nv=1", /no match for\s+v=1/],
];

for (const [title, pattern, complaint] of mismatches) {
  test(`wire peer: complains of ${title}`, async () => {
    const { alice, bob, close } = await pair();
    alice.send(invite);
    await assert.rejects(bob.expect(pattern), (error) => {
      assert.ok(error instanceof WireMismatch);
      assert.match(error.message, complaint);
      assert.match(error.message, /INVITE sip:bob@/);
      return true;
    });
    await close();
  });
}

test("wire peer: complains if nothing comes, or if something does", async () => {
  const { alice, bob, close } = await pair();
  await bob.expectNothing(5);
  await assert.rejects(bob.expect("{*}", { timeout: 5 }), /nothing came, expected/);
  alice.send(invite);
  await assert.rejects(bob.expectNothing(10_000), /this came:\s+INVITE/);
  await close();
});

test("wire peer: over TCP, pings and ends are seen", async () => {
  const server = await tcpWireServer("::1");
  const client = new WirePeer(await tcpWire(server.local));
  const peer = new WirePeer(await server.accept());
  client.send(invite);
  client.sendBytes("\r\n");
  await peer.expect("INVITE sip:{*}");
  assert.equal((await peer.receive())?.text, "\r\n");
  await client.close();
  await assert.rejects(peer.expect("{*}"), /the connection ended/);
  await peer.close();
  await server.close();
});
