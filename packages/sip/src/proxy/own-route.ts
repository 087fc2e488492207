// The Record-Route values of this proxy where no flow is named in them: all but the signature is the same in every
// dialog. They are signed, and known again, without a string for it. RFC 3261 §16.6 step 4, §16.4.

import { type HashKey, hashBytes, hashed, keyedHash, PADDING } from "../keyed-hash.ts";
import {
  encodeText,
  type HeaderWriter,
  type LineWriter,
  parseUri,
  type SipRequest,
  type SipUri,
} from "../message/index.ts";
import type { Listener } from "../transport/flow.ts";
import { type RouteDecision, untouched } from "./preprocess-route.ts";
import { signatureParam } from "./record-route.ts";

const digits = 16;

/** Call-ID and tag are nearly always shorter than this. */
const room = 1024;
const input = new Uint8Array(room + PADDING);

export class OwnRoute implements LineWriter {
  /** Its URI without the signature, as text and as a value. */
  readonly text: string;
  readonly uri: SipUri;
  readonly listener: Listener;
  /** It is a SIPS URI. */
  readonly isSecure: boolean;
  /** For a request that follows it: the value goes, and nothing else is to be done. */
  readonly decision: RouteDecision;
  readonly #key: HashKey;
  /** The value as it goes on the wire; the signature is written into it each time. */
  readonly #value: Uint8Array;
  readonly #signatureAt: number;

  constructor(key: HashKey, text: string, listener: Listener, isSecure: boolean) {
    this.text = text;
    this.uri = parseUri(text) as SipUri;
    this.listener = listener;
    this.isSecure = isSecure;
    this.decision = { ...untouched, popped: 1, isRecorded: true, leaveBy: this.uri, listener };
    this.#key = key;
    const start = `<${text};${signatureParam}=`;
    this.#signatureAt = start.length;
    this.#value = encodeText(`${start}${"0".repeat(digits)}>`);
  }

  /** The Record-Route line for a request that forms a dialog. */
  writeLines(to: HeaderWriter, request: SipRequest): void {
    this.#sign(request, "from");
    to.text("Record-Route: ").bytes(this.#value, 0, this.#value.length).text("\r\n");
  }

  /** True if this is the request's only Route value, and signed for its dialog: by the tag of either side. */
  leads(request: SipRequest): boolean {
    const value = this.#value;
    const at = this.#signatureAt;
    const { length } = value;
    const start = request.onlyRouteAt(length);
    if (start < 0 || !stands(value, 0, at, request.bytes, start)) return false;
    this.#sign(request, "from");
    if (stands(value, at, length, request.bytes, start)) return true;
    this.#sign(request, "to");
    return stands(value, at, length, request.bytes, start);
  }

  /** As `recordRouteParams` without flows. */
  #sign(request: SipRequest, header: "from" | "to"): void {
    const length = request.copyDialogEnd(input, room, header);
    if (length >= 0) hashBytes(this.#key, input, length);
    else
      keyedHash(
        this.#key,
        `${request.callId} ${(header === "from" ? request.fromTag : request.toTag) ?? ""}`,
      );
    writeHex(hashed[0]!, this.#value, this.#signatureAt);
    writeHex(hashed[1]!, this.#value, this.#signatureAt + digits / 2);
  }
}

/** True if value[from, to) stands in `bytes`, where `value` would begin at `start`. */
function stands(value: Uint8Array, from: number, to: number, bytes: Uint8Array, start: number): boolean {
  let i = from;
  while (i < to && value[i] === bytes[start + i]) i++;
  return i === to;
}

/** A word of 32 bits in 8 digits. */
function writeHex(word: number, into: Uint8Array, at: number): void {
  for (let i = 0; i < 8; i++) {
    const digit = (word >>> (28 - 4 * i)) & 15;
    into[at + i] = digit < 10 ? 48 + digit : 87 + digit;
  }
}

/** Where our addresses are more, the first are made again when they are needed. */
const most = 16;

/** Those that this proxy has made. */
export class OwnRoutes {
  readonly #key: HashKey;
  readonly #all: OwnRoute[] = [];

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Of a listener that shows everybody the same address. */
  ofListener(listener: Listener, isSecure: boolean): OwnRoute | undefined {
    for (const route of this.#all) {
      if (route.listener === listener && route.isSecure === isSecure) return route;
    }
    return undefined;
  }

  /** The one with that URI; made if need be. */
  of(uri: string, listener: Listener, isSecure: boolean): OwnRoute {
    for (const route of this.#all) if (route.text === uri && route.listener === listener) return route;
    const route = new OwnRoute(this.#key, uri, listener, isSecure);
    if (this.#all.length === most) this.#all.shift();
    this.#all.push(route);
    return route;
  }

  /** The one that a request follows. */
  leading(request: SipRequest): OwnRoute | undefined {
    for (const route of this.#all) if (route.leads(request)) return route;
    return undefined;
  }
}
