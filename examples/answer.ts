// Takes calls, says who calls, tells the keys that are pressed, and hangs up at "#".
//   node examples/answer.ts [port]

import { audio, tcp, udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";

const port = Number(process.argv[2] ?? 5060);
const agent = new UserAgent({
  aor: "sip:answer@127.0.0.1",
  accepts: true,
  transports: [udp({ port }), tcp({ port })],
  media: audio(),
});

agent.onInvite(async (call) => {
  const { displayName, uri } = call.remote;
  console.log("call from", displayName ?? ("user" in uri ? uri.user : uri.scheme));
  call.onDtmf((key) => {
    console.log("key", key);
    if (key === "#") void call.hangUp();
  });
  await call.answer();
  const { by, cause } = await call.ended;
  console.log("ended:", cause, by);
});

await agent.ready;
console.log(`waiting on port ${agent.listeners[0]?.port}`);
process.once("SIGINT", () => void agent.stop());
process.once("SIGTERM", () => void agent.stop());
