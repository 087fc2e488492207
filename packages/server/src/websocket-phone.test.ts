// Phones over WebSocket in Node, by the library's driver for browsers: through the whole server, and back after it
// was started anew. RFC 7118 §5, RFC 5626 §4.5.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeHash } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";
import { ws } from "@offhook/sip/web";
import { makePhone, type RunningServer, sdp, startServer } from "./server.test.kit.ts";

const password = "secret-of-all";
const settings = `store: { kind: memory }\naccounts: { any: { password: ${password} } }\n`;

function webPhone({ server, phones }: RunningServer, user: string): UserAgent {
  const phone = new UserAgent({
    aor: `sip:${user}@127.0.0.1`,
    transports: [ws({ url: `ws://127.0.0.1:${server.httpPort}`, hash: nodeHash })],
    credentials: { user, password },
  });
  phones.push(phone);
  phone.onInvite(async (call) => {
    await call.ring();
    await call.answer(sdp);
  });
  return phone;
}

test("two phones over WebSocket register, call and write to each other; so do WebSocket and UDP", async (t) => {
  const running = await startServer(t, settings);
  const [alice, bob] = [webPhone(running, "alice"), webPhone(running, "bob")];
  const carol = makePhone(running, "carol", password);
  carol.onInvite((call) => call.answer(sdp));
  const texts: string[] = [];
  bob.onRequest("MESSAGE", (incoming) => {
    texts.push(incoming.request.bodyText);
    incoming.respond(200);
  });
  await Promise.all([alice, bob, carol].map((phone) => phone.register()));
  for (const [caller, callee, hangsUp] of [
    [alice, "bob", "caller"],
    [bob, "carol", "callee"],
    [carol, "alice", "caller"],
  ] as const) {
    const call = await caller.invite(callee, { sdp });
    const other = [alice, bob, carol].find((one) => one.aor.uri.user === callee);
    const [answered] = other?.calls ?? [];
    await (hangsUp === "caller" ? call : answered)?.hangUp();
    await Promise.all([call.ended, answered?.ended]);
  }
  await alice.message("bob", "hello");
  await carol.message("bob", "and hello");
  assert.deepEqual(texts, ["hello", "and hello"]);
});

test("RFC 5626 §4.5: the server stops and another starts: registered again, and called by the new connection", async (t) => {
  const first = await startServer(t, settings);
  const bob = webPhone(first, "bob");
  const registration = await bob.register();
  const states: string[] = [];
  const again = new Promise<void>((resolve, reject) => {
    registration.onState((state) => {
      states.push(state);
      if (state === "registered") resolve();
      else if (state === "failed") reject(new Error(`${registration.lastResponse?.statusCode}`));
    });
  });
  await first.server.stop();
  const second = await startServer(t, settings, "", `http: { port: ${first.server.httpPort} }`);
  await again;
  assert.equal(states[0], "waiting");
  const alice = webPhone(second, "alice");
  const call = await alice.invite("bob", { sdp });
  await call.hangUp();
});
