// Other people's SIP in JavaScript: their parsers, as far as they are used here.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

interface SipUri {
  readonly scheme: string;
}

interface NpmSipUri {
  schema: string;
  host: string;
  port: number | null;
  params: Record<string, null>;
  headers: object;
}

/** A message of npm `sip`, with the headers that its parser takes apart. */
export interface NpmSipMessage {
  method: string;
  uri: string;
  headers: {
    via: { version: string; protocol: string; host: string; port: number; params: Record<string, string> }[];
    from: { uri: string; params: { tag: string } };
    to: { uri: string };
    contact: { uri: string }[];
    "record-route": { uri: NpmSipUri; params: object }[];
    "call-id": string;
    cseq: { seq: number };
    "max-forwards": string;
    allow: string;
    supported: string;
    "content-type": string;
  };
}

export interface NpmSip {
  parse(bytes: Buffer): NpmSipMessage;
  stringify(message: NpmSipMessage): string;
}

export function npmSip(): NpmSip {
  return require("sip/sip.js") as NpmSip;
}

export interface NpmSipDigest {
  authenticateRequest(
    context: { realm: string; nonce: string; qop: string; nc: number },
    request: NpmSipMessage,
    credentials: { hash: string },
  ): boolean;
}

export function npmSipDigest(): NpmSipDigest {
  return require("sip/digest.js") as NpmSipDigest;
}

export interface DrachtioMessage {
  get(name: string): string;
  set(name: string, value: string): void;
  getParsedHeader(name: "via"): { host: string; params: { branch: string } }[];
  getParsedHeader(name: "from" | "to"): { uri: string; params: { tag: string } };
  getParsedHeader(name: "contact"): { uri: string }[];
  getParsedHeader(name: "cseq"): { seq: number };
}

export function drachtioMessage(): new (text: string) => DrachtioMessage {
  return require("drachtio-srf/lib/sip-parser/message") as new (
    text: string,
  ) => DrachtioMessage;
}

/** What JsSIP and SIP.js (of one descent) have in common. */
interface BrowserMessage {
  readonly via: { readonly host: string };
  readonly from: { readonly uri: SipUri };
  readonly to: { readonly uri: SipUri };
  readonly cseq: number;
  getHeaders(name: string): string[];
  parseHeader(name: string, index?: number): { readonly uri: SipUri };
}

interface JsSipMessage extends BrowserMessage {
  readonly via_branch: string;
  readonly from_tag: string;
  readonly call_id: string;
}

export function jsSip(): { parseWithJsSip(text: string): JsSipMessage } {
  const parser = require("jssip/lib/Parser") as { parseMessage(text: string, ua?: object): JsSipMessage };
  return { parseWithJsSip: (text) => parser.parseMessage(text) };
}

interface SipJsMessage extends BrowserMessage {
  readonly viaBranch: string;
  readonly fromTag: string;
  readonly callId: string;
}

export function sipJs(): { parseWithSipJs(text: string): SipJsMessage } {
  const { Parser } = require("sip.js/lib/core/messages/parser.js") as {
    Parser: { parseMessage(text: string, logger: object): SipJsMessage };
  };
  const logger = { warn() {}, error() {} };
  return { parseWithSipJs: (text) => Parser.parseMessage(text, logger) };
}
