// Parsing speed beside other parsers: the same bytes, parsed, and the five core headers read as values.

import { parseMessage, type SipRequest } from "@offhook/sip/message";
import { type Contender, contest, repeated } from "./contest.ts";
import { invite } from "./invite.ts";
import { osip } from "./osip.ts";
import { drachtioMessage, jsSip, npmSip, sipJs } from "./peers.ts";

// Peers expect Node's Buffer; all get the same one.
const bytes = Buffer.from(invite);

function ours(): Contender {
  return repeated("@offhook/sip", () => {
    const request = parseMessage(bytes) as SipRequest;
    const { topVia, from, to, cSeq } = request;
    return (
      topVia.host.length +
      (topVia.branch?.length ?? 0) +
      from.uri.scheme.length +
      (from.tag?.length ?? 0) +
      to.uri.scheme.length +
      request.callId.length +
      cSeq.sequence
    );
  });
}

function theirs(): Contender[] {
  const sip = npmSip();
  const Message = drachtioMessage();
  const { parseWithJsSip } = jsSip();
  const { parseWithSipJs } = sipJs();
  return [
    repeated(
      "sip",
      () => {
        const { headers } = sip.parse(bytes);
        const via = headers.via[0]!;
        return (
          via.host.length +
          via.params["branch"]!.length +
          headers.from.uri.length +
          headers.from.params.tag.length +
          headers.to.uri.length +
          headers["call-id"].length +
          headers.cseq.seq
        );
      },
      5,
    ),
    repeated(
      "drachtio-srf",
      () => {
        const message = new Message(bytes.toString());
        const via = message.getParsedHeader("via")[0]!;
        const from = message.getParsedHeader("from");
        return (
          via.host.length +
          via.params.branch.length +
          from.uri.length +
          from.params.tag.length +
          message.getParsedHeader("to").uri.length +
          message.get("call-id").length +
          message.getParsedHeader("cseq").seq
        );
      },
      10,
    ),
    repeated("JsSIP", () => {
      const message = parseWithJsSip(bytes.toString());
      const { via, from, to } = message;
      return (
        via.host.length +
        message.via_branch.length +
        from.uri.scheme.length +
        message.from_tag.length +
        to.uri.scheme.length +
        message.call_id.length +
        message.cseq
      );
    }),
    repeated("SIP.js", () => {
      const message = parseWithSipJs(bytes.toString());
      const { via, from, to } = message;
      return (
        via.host.length +
        message.viaBranch.length +
        from.uri.scheme.length +
        message.fromTag.length +
        to.uri.scheme.length +
        message.callId.length +
        message.cseq
      );
    }),
    ...osip("parse", 3),
  ];
}

/** Prints the table; false if a gate is missed. */
export function run(): boolean {
  return contest({
    title: `parse: an INVITE of ${bytes.length} bytes and its five core headers`,
    contenders: [ours(), ...theirs()],
  });
}
