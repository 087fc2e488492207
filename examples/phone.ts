// A phone in ten lines: it calls the address it is given, or takes calls itself, and sends a tone.
//   node examples/phone.ts                         waits for calls on port 5060
//   node examples/phone.ts sip:phone@192.0.2.1     calls

import { toneSource } from "@offhook/sip/media";
import { printUri } from "@offhook/sip/message";
import { audio, udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";

const [target] = process.argv.slice(2);
const phone = new UserAgent({
  aor: "sip:phone@127.0.0.1",
  transports: [udp({ port: target === undefined ? 5060 : 0 })],
  media: audio({ source: () => toneSource() }),
});

phone.onInvite(async (call) => {
  await call.ring();
  await call.answer();
});

if (target !== undefined) {
  const call = await phone.invite(target, { timeout: 30 });
  console.log("talking to", printUri(call.remote.uri));
  setTimeout(() => call.hangUp(), 5000);
  console.log("over:", (await call.ended).cause);
  await phone.stop();
}
