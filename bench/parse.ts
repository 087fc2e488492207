// Parsing speed beside npm `sip` and drachtio-srf: the same bytes, parsed, and the five core headers read as values.
import { createRequire } from "node:module";
import { parseMessage, type SipRequest } from "@offhook/sip/message";

const require = createRequire(import.meta.url);

/** An INVITE with SDP as a desk phone sends it through one proxy. */
export const invite: Uint8Array = new TextEncoder().encode(
  [
    "INVITE sip:bob@biloxi.example.com SIP/2.0",
    "Via: SIP/2.0/UDP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1;rport",
    "Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74b43;received=192.0.2.101;rport=5060",
    "Max-Forwards: 69",
    "Record-Route: <sip:ss1.atlanta.example.com;lr>",
    'From: "Alice" <sip:alice@atlanta.example.com>;tag=9fxced76sl',
    "To: Bob <sip:bob@biloxi.example.com>",
    "Call-ID: 3848276298220188511@atlanta.example.com",
    "CSeq: 2 INVITE",
    "Contact: <sip:alice@client.atlanta.example.com;transport=udp>",
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY",
    "Supported: replaces, timer",
    "User-Agent: Deskphone 7/2.3.1",
    "Content-Type: application/sdp",
    "Content-Length: 151",
    "",
    "v=0",
    "o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com",
    "s=-",
    "c=IN IP4 192.0.2.101",
    "t=0 0",
    "m=audio 49172 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "",
  ].join("\r\n"),
);

/** One parser: parses the bytes, reads the five core headers, and returns something that depends on all of them. */
interface Contender {
  readonly name: string;
  /** How much faster we must be; undefined for ourselves. */
  readonly mustBeat?: number;
  once(bytes: Uint8Array): number;
}

function ours(): Contender {
  return {
    name: "@offhook/sip",
    once(bytes) {
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
    },
  };
}

interface SipModule {
  parse(bytes: Buffer): {
    headers: {
      via: { host: string; params: { branch: string } }[];
      from: { uri: string; params: { tag: string } };
      to: { uri: string };
      "call-id": string;
      cseq: { seq: number };
    };
  };
}

function npmSip(): Contender {
  const sip = require("sip/sip.js") as SipModule;
  return {
    name: "sip",
    mustBeat: 3,
    once(bytes) {
      const { headers } = sip.parse(bytes as Buffer);
      const via = headers.via[0]!;
      return (
        via.host.length +
        via.params.branch.length +
        headers.from.uri.length +
        headers.from.params.tag.length +
        headers.to.uri.length +
        headers["call-id"].length +
        headers.cseq.seq
      );
    },
  };
}

interface DrachtioMessage {
  get(name: string): string;
  getParsedHeader(name: "via"): { host: string; params: { branch: string } }[];
  getParsedHeader(name: "from" | "to"): { uri: string; params: { tag: string } };
  getParsedHeader(name: "cseq"): { seq: number };
}

function drachtio(): Contender {
  const Message = require("drachtio-srf/lib/sip-parser/message") as new (text: string) => DrachtioMessage;
  return {
    name: "drachtio-srf",
    mustBeat: 6,
    once(bytes) {
      const message = new Message((bytes as Buffer).toString());
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
  };
}

/** CPU time of one round, in microseconds per message. */
function round(contender: Contender, bytes: Uint8Array, times: number): number {
  const before = process.cpuUsage();
  let sum = 0;
  for (let i = 0; i < times; i++) sum += contender.once(bytes);
  const { user, system } = process.cpuUsage(before);
  if (sum === 0) throw new Error("nothing was read");
  return (user + system) / times;
}

/** Prints the table; false if a gate is missed. Rounds alternate, so that a noisy moment hits all alike. */
export function run(rounds: number = 12, times: number = 20000): boolean {
  const contenders = [ours(), npmSip(), drachtio()];
  // Peers expect Node's Buffer; all get the same one.
  const bytes = Buffer.from(invite);
  const best = contenders.map(() => Number.POSITIVE_INFINITY);
  for (let i = 0; i < rounds; i++) {
    contenders.forEach((contender, n) => {
      const cost = round(contender, bytes, times);
      // The first rounds warm the compiler up.
      if (i > 1) best[n] = Math.min(best[n]!, cost);
    });
  }
  console.log(
    `parse: an INVITE of ${bytes.length} bytes and its five core headers, µs of CPU, best of ${rounds - 2}`,
  );
  let passed = true;
  contenders.forEach(({ name, mustBeat }, n) => {
    const ratio = best[n]! / best[0]!;
    const gate = mustBeat === undefined ? "" : `  ${ratio.toFixed(1)} times ours (gate ${mustBeat})`;
    if (mustBeat !== undefined && ratio < mustBeat) passed = false;
    console.log(`  ${name.padEnd(14)}${best[n]!.toFixed(2).padStart(7)}${gate}`);
  });
  return passed;
}
