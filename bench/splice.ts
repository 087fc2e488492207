// Forwarding beside others: the same bytes parsed, a Via and a Record-Route put on top, Max-Forwards lowered, printed.

import { parseMessage, splice } from "@offhook/sip/message";
import { contest, repeated } from "./contest.ts";
import { invite } from "./invite.ts";
import { osip } from "./osip.ts";
import { npmSip } from "./peers.ts";

const via = "SIP/2.0/UDP proxy.example.com:5060;rport;branch=z9hG4bK0.1.77";
const route = "sip:proxy.example.com;lr";

/** Prints the table; always true: nothing is asked of it. */
export function run(): boolean {
  const bytes = Buffer.from(invite);
  const sip = npmSip();
  return contest({
    title: `splice: an INVITE of ${bytes.length} bytes parsed, and forwarded as a proxy does`,
    contenders: [
      repeated("@offhook/sip", () => {
        const request = parseMessage(bytes);
        return splice(request, { pushVia: via, recordRoutes: [`<${route}>`], maxForwards: 68 }).length;
      }),
      repeated("sip", () => {
        const request = sip.parse(bytes);
        const { headers } = request;
        const uri = {
          schema: "sip",
          host: "proxy.example.com",
          port: null,
          params: { lr: null },
          headers: {},
        };
        const params = { rport: "", branch: "z9hG4bK0.1.77" };
        headers.via.unshift({
          version: "2.0",
          protocol: "UDP",
          host: "proxy.example.com",
          port: 5060,
          params,
        });
        headers["record-route"].unshift({ uri, params: {} });
        headers["max-forwards"] = `${Number(headers["max-forwards"]) - 1}`;
        return Buffer.from(sip.stringify(request)).length;
      }),
      ...osip("forward"),
    ],
  });
}
