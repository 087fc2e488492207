// For the tests of this folder: Bob, and a caller who writes requests by hand.

import assert from "node:assert/strict";
import { type HeaderInit, parseMessage, type SipResponse } from "../message/index.ts";
import { virtualStreamWire, virtualUdpWire } from "../testing/index.ts";
import { sdpOf, Testbed } from "./testbed.test.kit.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

export interface Asked {
  readonly method?: string;
  /** "BOB" stands for his address. */
  readonly uri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly contact?: string;
  readonly version?: string;
  readonly headers?: readonly HeaderInit[];
  readonly contentType?: string;
  readonly body?: string;
  /** "out", or the number of the request for two that are the same. */
  readonly toTag?: string;
}

/** Bob, and somebody who writes his requests by hand. */
export async function meet(transport: "UDP" | "TCP", options: Partial<UserAgentOptions>) {
  const bed = new Testbed();
  const bob = bed.agent("bob", { transport, ...options });
  await bob.ua.ready;
  const { address } = bed.host("peer");
  const own = { address, port: 5060 };
  const target = { address: bob.address, port: 5060 };
  const wire =
    transport === "UDP"
      ? virtualUdpWire(bed.network, own)
      : await virtualStreamWire(bed.network, own, target, "TCP");
  const send = (text: string) =>
    wire.send(
      Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
      target,
    );
  const write = (asked: Asked, branch = "1") => {
    const { method = "INVITE", uri = "BOB", to = "BOB", headers = [], body = "", version = "2.0" } = asked;
    const { from = `sip:peer@${address}`, contact = `<sip:peer@${address}>`, contentType, toTag } = asked;
    const here = (text: string) => text.replaceAll("BOB", `bob@${bob.address}`);
    const known = (text: string) => (text === "BOB" ? `sip:${here(text)}` : here(text));
    send(
      [
        `${method} ${known(uri)} SIP/${version}`,
        `Via: SIP/2.0/${transport} ${address}:5060;branch=z9hG4bK${method}${branch}`,
        "Max-Forwards: 70",
        `From: <${from}>;tag=f`,
        `To: <${known(to)}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
        "Call-ID: asked",
        `CSeq: 1 ${method}`,
        ...(contact === "" ? [] : [`Contact: ${contact}`]),
        ...headers.map(([name, value]) => `${name}: ${value}`),
        ...(contentType === undefined ? [] : [`Content-Type: ${contentType}`]),
        `Content-Length: ${body.length}`,
        "",
        body,
      ].join("\r\n"),
    );
  };
  /** The next final response, and when it came. */
  const final = async (): Promise<SipResponse> => {
    for (;;) {
      const came = await wire.receive(60_000);
      assert(came !== undefined, "no final response came");
      const response = parseMessage(came.bytes) as SipResponse;
      if (response.statusCode >= 200) return response;
    }
  };
  const ack = (response: SipResponse) => {
    if (response.cSeq.method !== "INVITE") return;
    send(
      [
        `ACK sip:bob@${bob.address} SIP/2.0`,
        `Via: ${response.headers.raw("Via")}`,
        "Max-Forwards: 70",
        `From: ${response.headers.raw("From")}`,
        `To: ${response.headers.raw("To")}`,
        `Call-ID: ${response.callId}`,
        `CSeq: ${response.cSeq.sequence} ACK`,
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    );
  };
  return { bed, bob, wire, write, final, ack };
}

export const sdp = sdpOf("peer");
export const multipart = "multipart/mixed;boundary=b";
export const parts = (...all: string[]) => [...all.map((part) => `--b\r\n${part}\r\n`), "--b--\r\n"].join("");
export const sdpPart = `Content-Type: application/sdp\r\n\r\n${sdp}`;
export const isup = (handling: string) =>
  `Content-Type: application/isup;version=etsi\r\nContent-Disposition: signal;handling=${handling}\r\n\r\nx`;
