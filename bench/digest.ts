// Digest at the server's side, beside npm `sip`: a REGISTER with credentials parsed and found right.

import { Challenger, Credentials, computeHa1 } from "@offhook/sip/auth";
import { makeResponse, parseMessage, type SipRequest } from "@offhook/sip/message";
import { nodeClock, nodeHash, nodeRandom } from "@offhook/sip/node";
import { type Contender, contest } from "./contest.ts";
import { npmSip, npmSipDigest } from "./peers.ts";

const realm = "example.com";
const account = { user: "alice", realm, password: "secret" };

function register(sequence: number, authorization?: string): Buffer {
  const lines = [
    `REGISTER sip:${realm} SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK-7-${sequence}`,
    "Max-Forwards: 70",
    `From: <sip:alice@${realm}>;tag=7r1`,
    `To: <sip:alice@${realm}>`,
    "Call-ID: 1-7@192.0.2.7",
    `CSeq: ${sequence} REGISTER`,
    "Contact: <sip:alice@192.0.2.7:5070;transport=udp>",
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    "Expires: 3600",
    "Content-Length: 0\r\n\r\n",
  ];
  return Buffer.from(lines.join("\r\n"));
}

/** REGISTERs as a phone sends them that knows the nonce, their counts rising. */
function answered(challenger: Challenger, count: number): { nonce: string; requests: Buffer[] } {
  const first = parseMessage(register(1)) as SipRequest;
  const headers = challenger.challenge("user agent", realm);
  const session = new Credentials({ credentials: [account], hash: nodeHash, random: nodeRandom }).session();
  const refusal = parseMessage(makeResponse(first, 401, { headers }).bytes);
  if (refusal.kind !== "response" || session.attempt().challenged(refusal).kind !== "retry")
    throw new Error("the challenge cannot be answered");
  const request = { method: "REGISTER", uri: `sip:${realm}` };
  return {
    nonce: /nonce="([^"]+)"/.exec(headers[0]![1])![1]!,
    requests: Array.from({ length: count }, (_, i) => register(i + 2, session.headers(request)[0]![1])),
  };
}

function ours(algorithm: "MD5" | "SHA-256"): Contender {
  const random = nodeRandom;
  const challenger = new Challenger({ clock: nodeClock, hash: nodeHash, random, algorithms: [algorithm] });
  const ha1 = computeHa1(nodeHash, algorithm, account);
  let requests: Buffer[] = [];
  return {
    name: algorithm === "MD5" ? "@offhook/sip" : "  by SHA-256",
    prepare(times) {
      ({ requests } = answered(challenger, times));
    },
    run() {
      let sum = 0;
      for (const bytes of requests) {
        const found = challenger.verify("user agent", parseMessage(bytes) as SipRequest, realm, () => ha1);
        if (!("kind" in found) || found.kind !== "ok") return 0;
        sum += found.user.length;
      }
      return sum;
    },
  };
}

function theirs(): Contender {
  const sip = npmSip();
  const digest = npmSipDigest();
  const challenger = new Challenger({ clock: nodeClock, hash: nodeHash, random: nodeRandom });
  const hash = computeHa1(nodeHash, "MD5", account);
  let prepared: { nonce: string; requests: Buffer[] };
  return {
    name: "sip",
    prepare(times) {
      prepared = answered(challenger, times);
    },
    run() {
      const context = { realm, nonce: prepared.nonce, qop: "auth", nc: 0 };
      let sum = 0;
      for (const bytes of prepared.requests) {
        if (!digest.authenticateRequest(context, sip.parse(bytes), { hash })) return 0;
        sum++;
      }
      return sum;
    },
  };
}

/** Prints the table; always true: the gate is that of the whole server, in bench/load. */
export function run(): boolean {
  return contest({
    title:
      "digest: a REGISTER parsed, and its credentials found right (npm sip looks at neither URI nor replay)",
    contenders: [ours("MD5"), ours("SHA-256"), theirs()],
  });
}
