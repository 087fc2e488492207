// Typed headers beside others: the same bytes parsed, and every field that has a value of parts read as such.

import { parseMessage, type SipRequest } from "@offhook/sip/message";
import { contest, repeated } from "./contest.ts";
import { invite } from "./invite.ts";
import { drachtioMessage, jsSip, npmSip, sipJs } from "./peers.ts";

const addresses = ["Contact", "Record-Route"] as const;

/** Prints the table; always true: nothing is asked of it. */
export function run(): boolean {
  const bytes = Buffer.from(invite);
  const sip = npmSip();
  const Message = drachtioMessage();
  const { parseWithJsSip } = jsSip();
  const { parseWithSipJs } = sipJs();
  return contest({
    title: `headers: an INVITE of ${bytes.length} bytes parsed, and its Via, From, To, Contact, Record-Route, CSeq read`,
    contenders: [
      repeated("@offhook/sip", () => {
        const request = parseMessage(bytes) as SipRequest;
        const { headers, from, to, cSeq } = request;
        let sum =
          cSeq.sequence + from.uri.scheme.length + to.uri.scheme.length + headers.getAll("Allow").length;
        for (const { host } of headers.getAll("Via")) sum += host.length;
        for (const contact of headers.getAll("Contact"))
          if (contact !== "*") sum += contact.uri.scheme.length;
        for (const { uri } of headers.getAll("Record-Route")) sum += uri.scheme.length;
        return sum + headers.getAll("Supported").length + (headers.get("Content-Type")?.type.length ?? 0);
      }),
      repeated("sip", () => {
        const { headers } = sip.parse(bytes);
        let sum = headers.cseq.seq + headers.from.uri.length + headers.to.uri.length;
        for (const { host } of headers.via) sum += host.length;
        for (const { uri } of headers.contact) sum += uri.length;
        for (const { uri } of headers["record-route"]) sum += uri.host.length;
        return sum + headers.allow.length + headers.supported.length + headers["content-type"].length;
      }),
      repeated("drachtio-srf", () => {
        const message = new Message(bytes.toString());
        let sum = message.getParsedHeader("cseq").seq;
        sum += message.getParsedHeader("from").uri.length + message.getParsedHeader("to").uri.length;
        for (const { host } of message.getParsedHeader("via")) sum += host.length;
        for (const { uri } of message.getParsedHeader("contact")) sum += uri.length;
        return sum + message.get("record-route").length + message.get("allow").length;
      }),
      ...[
        { name: "JsSIP", parse: parseWithJsSip },
        { name: "SIP.js", parse: parseWithSipJs },
      ].map(({ name, parse }) =>
        repeated(name, () => {
          const message = parse(bytes.toString());
          let sum = message.cseq + message.from.uri.scheme.length + message.to.uri.scheme.length;
          for (const field of addresses) sum += message.parseHeader(field).uri.scheme.length;
          return sum + message.getHeaders("allow").length;
        }),
      ),
    ],
  });
}
