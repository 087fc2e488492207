// Registers, stays registered, and takes the registration away at Ctrl-C.
//   node examples/register.ts sip:alice@192.0.2.1 PASSWORD

import { Rejected } from "@offhook/sip";
import { udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";

const [aor = "sip:alice@127.0.0.1", password = ""] = process.argv.slice(2);
const agent = new UserAgent({
  aor,
  transports: [udp()],
  credentials: { user: aor.replace(/^sips?:|@.*$/g, ""), password },
});

const registration = agent.registration({ expires: 600 });
registration.onState((state) => console.log(state));
try {
  await registration.start();
  console.log("until", new Date(registration.expiresAt).toISOString());
  process.once("SIGINT", () => void agent.stop());
  process.once("SIGTERM", () => void agent.stop());
} catch (error) {
  if (!(error instanceof Rejected)) throw error;
  console.error(error.response.statusCode, error.response.reasonPhrase);
  await agent.stop();
  process.exitCode = 1;
}
