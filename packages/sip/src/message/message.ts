// Requests and responses: RFC 3261 §7. Immutable views of the bytes they came in; `parse.ts` makes them.
import { ownBytes } from "./byte-writer.ts";
import * as characters from "./characters.ts";
import type { CSeq } from "./header/cseq.ts";
import { decodeCSeq } from "./header/cseq.ts";
import { type Via, type ViaParts, viaOfParts } from "./header/via.ts";
import { ROUTE } from "./header-table.ts";
import { firstField, hasFieldBehind, SipHeaders, valueEnd, valueStart } from "./headers.ts";
import { hostOf } from "./host.ts";
import { methodNames } from "./method.ts";
import { type FromTo, fromToOfParts, type NameAddrParts } from "./name-addr.ts";
import { detachText } from "./own-text.ts";
import { cutAscii, decodeAscii, decodeUtf8, readFrom, readFromCopy } from "./text.ts";
import { SIPS, type Uri, type UriParts, uriOfParts, writtenAor } from "./uri.ts";

const { SEMICOLON, SPACE } = characters;

/**
 * Where the parser found the core parts: positions in the bytes, -1 for what is absent. The same shape for
 * every message. Not part of the public API.
 */
export interface Layout {
  startLineStart: number;
  /** Start of the first header field; the start line is before it. */
  headersStart: number;
  /** The position behind the empty line. */
  bodyStart: number;
  bodyEnd: number;
  /** The position behind From, To, Call-ID and the first Via, wherever they stand. */
  coreEnd: number;
  /** The method's number: of the request, or of CSeq in a response; 0 if unknown. */
  methodId: number;
  methodEnd: number;
  /** 0 in a request. */
  statusCode: number;
  /** The reason phrase of a response. */
  reasonStart: number;
  reasonEnd: number;
  viaStart: number;
  /** End of the first Via value; a comma or the end of the field. */
  viaEnd: number;
  fromStart: number;
  fromEnd: number;
  toStart: number;
  toEnd: number;
  callIdStart: number;
  callIdEnd: number;
  cSeqStart: number;
  cSeqEnd: number;
  cSeqNumber: number;
  maxForwards: number;
  hasRoute: boolean;
  readonly requestUri: UriParts | undefined;
  readonly via: ViaParts;
  readonly from: NameAddrParts;
  readonly to: NameAddrParts;
}

/** Where something is found by a Call-ID, written in these bytes, which is its key. */
export interface CallIdTable<T extends { readonly key: string }> {
  getWritten(bytes: Uint8Array, start: number, end: number): T | undefined;
}

const emptyBody = new Uint8Array(0);

/** What requests and responses have in common. */
abstract class Message {
  abstract readonly kind: "request" | "response";
  /** The message as it came, up to the end of its body. Borrowed from the receiver: see `own()`. */
  readonly bytes: Uint8Array;
  /** Positions of the parts; for this folder only. */
  readonly layout: Layout;
  /** The index of header fields; for this folder only. */
  readonly index: readonly number[];
  #isOwn = false;
  #headers: SipHeaders | undefined;
  #body: Uint8Array | undefined;
  #topVia: Via | undefined;
  #from: FromTo | undefined;
  #to: FromTo | undefined;
  #callId: string | undefined;
  #cSeq: CSeq | undefined;
  #branch: string | undefined;

  constructor(bytes: Uint8Array, layout: Layout, index: readonly number[]) {
    this.bytes = bytes;
    this.layout = layout;
    this.index = index;
  }

  /**
   * Makes the bytes the message's own, for keeping it beyond the call that delivered it. What has been read of it stays
   * good.
   */
  own(): this {
    if (this.#isOwn) return this;
    const { bytes } = this;
    const copy = ownBytes(bytes, 0, bytes.length);
    (this as { bytes: Uint8Array }).bytes = copy;
    this.#isOwn = true;
    this.#headers?.move(copy);
    readFromCopy(bytes, copy);
    return this;
  }

  /** Says that the bytes are the message's own: nobody else writes to them. */
  adopt(): this {
    this.#isOwn = true;
    return this;
  }

  /** The header fields, typed by name. */
  get headers(): SipHeaders {
    this.#headers ??= new SipHeaders(this.bytes, this.index, this.layout.bodyStart);
    return this.#headers;
  }

  /** The body; empty if there is none. A view of the message's own bytes. */
  get body(): Uint8Array {
    if (this.#body === undefined) {
      const { bodyStart, bodyEnd } = this.layout;
      this.#body = bodyStart === bodyEnd ? emptyBody : this.own().bytes.subarray(bodyStart, bodyEnd);
    }
    return this.#body;
  }

  /** The first Via value. */
  get topVia(): Via {
    if (this.#topVia === undefined) {
      readFrom(this.bytes, this.layout.coreEnd);
      this.#topVia = viaOfParts(this.bytes, this.layout.via);
    }
    return this.#topVia;
  }

  get from(): FromTo {
    if (this.#from === undefined) {
      readFrom(this.bytes, this.layout.coreEnd);
      this.#from = fromToOfParts(this.bytes, this.layout.from);
    }
    return this.#from;
  }

  get to(): FromTo {
    if (this.#to === undefined) {
      readFrom(this.bytes, this.layout.coreEnd);
      this.#to = fromToOfParts(this.bytes, this.layout.to);
    }
    return this.#to;
  }

  /** The host of the SIP URI in From; undefined for other URIs. Makes no URI. */
  get fromHost(): string | undefined {
    const { uri } = this.layout.from;
    return uri.scheme > SIPS ? undefined : hostOf(this.bytes, uri);
  }

  /** `aorOf` of From in a string of its own, if it stands there as it is. Makes no URI. */
  get writtenFromAor(): string | undefined {
    return writtenAor(this.bytes, this.layout.from.uri);
  }

  /** The same of To. */
  get writtenToAor(): string | undefined {
    return writtenAor(this.bytes, this.layout.to.uri);
  }

  /** The Call-ID; like other texts of a message it may be a piece of it, see `ownCallId`. */
  get callId(): string {
    if (this.#callId === undefined) {
      const { callIdStart, callIdEnd, coreEnd } = this.layout;
      readFrom(this.bytes, coreEnd);
      this.#callId = cutAscii(this.bytes, callIdStart, callIdEnd);
    }
    return this.#callId;
  }

  /** The Call-ID for keeping: a string that keeps no message alive, as a piece of its text would. */
  get ownCallId(): string {
    if (this.#callId !== undefined) return detachText(this.#callId);
    const { callIdStart, callIdEnd } = this.layout;
    this.#callId = decodeAscii(this.bytes, callIdStart, callIdEnd);
    return this.#callId;
  }

  /** What a table has under the Call-ID. Makes no string: from then on that of what was found is ours too. */
  findByCallId<T extends { readonly key: string }>(table: CallIdTable<T>): T | undefined {
    const { callIdStart, callIdEnd } = this.layout;
    const found = table.getWritten(this.bytes, callIdStart, callIdEnd);
    if (found !== undefined) this.#callId = found.key;
    return found;
  }

  /** The Call-ID, if it has been asked for before. */
  get callIdAtHand(): string | undefined {
    return this.#callId;
  }

  get cSeq(): CSeq {
    if (this.#cSeq === undefined) {
      const { methodId, cSeqNumber, cSeqStart, cSeqEnd } = this.layout;
      this.#cSeq =
        methodId > 0
          ? { sequence: cSeqNumber, method: methodNames[methodId]! }
          : decodeCSeq(this.bytes, cSeqStart, cSeqEnd, "CSeq");
    }
    return this.#cSeq;
  }

  /** The number of the method (of the CSeq in a response) as in method.ts; 0 for unknown ones. Makes no string. */
  get methodId(): number {
    return this.layout.methodId;
  }

  /** The branch of the top Via. Cheaper than `topVia.branch`. */
  get topBranch(): string | undefined {
    const { branchStart, branchEnd } = this.layout.via;
    if (this.#branch === undefined && branchStart >= 0) {
      this.#branch = decodeAscii(this.bytes, branchStart, branchEnd);
    }
    return this.#branch;
  }

  /** The host of `topSentBy`. */
  get topHost(): string {
    return hostOf(this.bytes, this.layout.via);
  }

  /** The port of `topSentBy`; -1 if there is none. */
  get topPort(): number {
    return this.layout.via.port;
  }

  /** True if the top Via has no rport, received or maddr: its sent-by says where responses go (§18.2.2). */
  get isSentByAll(): boolean {
    const { rport, receivedStart, maddrStart } = this.layout.via;
    return rport === -1 && receivedStart < 0 && maddrStart < 0;
  }

  /** The sent-by of the top Via without the rest of it. */
  get topSentBy(): { readonly host: string; readonly port: number | undefined } {
    const { via } = this.layout;
    return { host: hostOf(this.bytes, via), port: via.port < 0 ? undefined : via.port };
  }

  /** True if the top Via is this one as far as its first parameter, letter by letter. Makes no string. */
  startsWithVia(via: string): boolean {
    const { viaStart, viaEnd } = this.layout;
    for (let i = 0; i < via.length && viaStart + i < viaEnd; i++) {
      const code = via.charCodeAt(i);
      if (this.bytes[viaStart + i] !== code) return false;
      if (code === SEMICOLON) return true;
    }
    return false;
  }

  /** CSeq's number without making an object. */
  get cSeqNumber(): number {
    return this.layout.cSeqNumber;
  }

  get hasToTag(): boolean {
    return this.layout.to.tagStart >= 0;
  }

  get hasFromTag(): boolean {
    return this.layout.from.tagStart >= 0;
  }

  get toTag(): string | undefined {
    return this.hasToTag
      ? decodeAscii(this.bytes, this.layout.to.tagStart, this.layout.to.tagEnd)
      : undefined;
  }

  get fromTag(): string | undefined {
    return this.hasFromTag
      ? decodeAscii(this.bytes, this.layout.from.tagStart, this.layout.from.tagEnd)
      : undefined;
  }

  /** True if there is a Route header. */
  get hasRoute(): boolean {
    return this.layout.hasRoute;
  }

  /**
   * Puts Call-ID, a space and the tag of From or To, all of which name a dialog from one of its ends, at the start of
   * `into`. Makes no string. Returns how many bytes that is; -1 if `room` is too small.
   */
  copyDialogEnd(into: Uint8Array, room: number, header: "from" | "to"): number {
    const { bytes, layout } = this;
    const { callIdStart, callIdEnd } = layout;
    const { tagStart, tagEnd } = header === "from" ? layout.from : layout.to;
    const callIdLength = callIdEnd - callIdStart;
    const tagLength = tagStart < 0 ? 0 : tagEnd - tagStart;
    if (callIdLength + 1 + tagLength > room) return -1;
    for (let i = 0; i < callIdLength; i++) into[i] = bytes[callIdStart + i]!;
    into[callIdLength] = SPACE;
    for (let i = 0; i < tagLength; i++) into[callIdLength + 1 + i] = bytes[tagStart + i]!;
    return callIdLength + 1 + tagLength;
  }

  /** Where the value of Route starts, if there is one field with a value of that length; else -1. */
  onlyRouteAt(length: number): number {
    const { bytes, index } = this;
    const i = firstField(index, ROUTE);
    if (i < 0 || hasFieldBehind(index, i, ROUTE)) return -1;
    const start = valueStart(bytes, index, i);
    return valueEnd(bytes, index, i, start) - start === length ? start : -1;
  }

  /** Takes over what has been read of the same message already. */
  protected knowing(message: Message): this {
    this.#topVia = message.#topVia;
    this.#from = message.#from;
    this.#to = message.#to;
    this.#callId = message.#callId;
    this.#cSeq = message.#cSeq;
    this.#branch = message.#branch;
    return this;
  }

  /** The body as text (UTF-8). */
  get bodyText(): string {
    return decodeUtf8(this.body, 0, this.body.length);
  }
}

/** A request (§7.1). */
export class SipRequest extends Message {
  readonly kind = "request" as const;
  #method: string | undefined;
  #requestUri: Uri | undefined;
  #requestUriText: string | undefined;

  /** As written; methods are case-sensitive. */
  get method(): string {
    if (this.#method === undefined) {
      const { methodId, startLineStart, methodEnd } = this.layout;
      this.#method =
        methodId > 0 ? methodNames[methodId]! : decodeAscii(this.bytes, startLineStart, methodEnd);
    }
    return this.#method;
  }

  get requestUri(): Uri {
    if (this.#requestUri === undefined) {
      readFrom(this.bytes, this.layout.coreEnd);
      this.#requestUri = uriOfParts(this.bytes, this.layout.requestUri!);
    }
    return this.#requestUri;
  }

  /** `aorOf` of it in a string of its own, if it stands there as it is. */
  get writtenRequestAor(): string | undefined {
    return writtenAor(this.bytes, this.layout.requestUri!);
  }

  get requestUriText(): string {
    const { start, end } = this.layout.requestUri!;
    this.#requestUriText ??= decodeAscii(this.bytes, start, end);
    return this.#requestUriText;
  }

  /** True if these bytes spell the Request-URI, letter by letter. Makes no string. */
  isRequestUri(bytes: Uint8Array, start: number, end: number): boolean {
    const uri = this.layout.requestUri!;
    if (end - start !== uri.end - uri.start) return false;
    let i = start;
    while (i < end && bytes[i] === this.bytes[uri.start + i - start]) i++;
    return i === end;
  }

  /** 0 … 255; undefined if the header is absent. */
  get maxForwards(): number | undefined {
    return this.layout.maxForwards < 0 ? undefined : this.layout.maxForwards;
  }

  /** The same request on a copy of its bytes, for keeping beyond the call that delivered it. */
  detach(): SipRequest {
    return new SipRequest(this.bytes, this.layout, this.index).knowing(this).own();
  }
}

/** A response (§7.2). */
export class SipResponse extends Message {
  readonly kind = "response" as const;

  /** 100 … 699. */
  get statusCode(): number {
    return this.layout.statusCode;
  }

  get reasonPhrase(): string {
    return decodeUtf8(this.bytes, this.layout.reasonStart, this.layout.reasonEnd);
  }

  /** The same response on a copy of its bytes, for keeping beyond the call that delivered it. */
  detach(): SipResponse {
    return new SipResponse(this.bytes, this.layout, this.index).knowing(this).own();
  }
}

export type SipMessage = SipRequest | SipResponse;
