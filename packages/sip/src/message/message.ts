// Requests and responses: RFC 3261 §7. Immutable views of the bytes they came in; `parse.ts` makes them.
import type { CSeq } from "./header/cseq.ts";
import { decodeCSeq } from "./header/cseq.ts";
import { decodeVia, type Via } from "./header/via.ts";
import { SipHeaders } from "./headers.ts";
import { methodNames } from "./method.ts";
import { decodeFromTo, type FromTo } from "./name-addr.ts";
import { decodeAscii, decodeUtf8 } from "./text.ts";
import { decodeUri, type Uri } from "./uri.ts";

/**
 * Where the parser found the core parts: positions in the bytes, -1 for what is absent. The same shape for
 * every message. Not part of the public API.
 */
export interface Layout {
  /** Start of the first header field; the start line is before it. */
  headersStart: number;
  /** The position behind the empty line. */
  bodyStart: number;
  bodyEnd: number;
  /** Request: the Request-URI. Response: the reason phrase. */
  targetStart: number;
  targetEnd: number;
  methodId: number;
  methodEnd: number;
  startLineStart: number;
  statusCode: number;
  viaStart: number;
  /** End of the first Via value; a comma or the end of the field. */
  viaEnd: number;
  branchStart: number;
  branchEnd: number;
  fromStart: number;
  fromEnd: number;
  fromTagStart: number;
  fromTagEnd: number;
  toStart: number;
  toEnd: number;
  toTagStart: number;
  toTagEnd: number;
  callIdStart: number;
  callIdEnd: number;
  cSeqStart: number;
  cSeqEnd: number;
  cSeqNumber: number;
  maxForwards: number;
  hasRoute: boolean;
}

const emptyBody = new Uint8Array(0);

/** What requests and responses have in common. */
abstract class Message {
  abstract readonly kind: "request" | "response";
  /** The message as it came, up to the end of its body. Borrowed from the receiver: see `detach()`. */
  readonly bytes: Uint8Array;
  /** Positions of the parts; for this folder only. */
  readonly layout: Layout;
  /** The index of header fields; for this folder only. */
  readonly index: readonly number[];
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

  /** The header fields, typed by name. */
  get headers(): SipHeaders {
    this.#headers ??= new SipHeaders(this.bytes, this.index);
    return this.#headers;
  }

  /** The body; empty if there is none. A view, not a copy. */
  get body(): Uint8Array {
    if (this.#body === undefined) {
      const { bodyStart, bodyEnd } = this.layout;
      this.#body = bodyStart === bodyEnd ? emptyBody : this.bytes.subarray(bodyStart, bodyEnd);
    }
    return this.#body;
  }

  /** The first Via value. */
  get topVia(): Via {
    this.#topVia ??= decodeVia(this.bytes, this.layout.viaStart, this.layout.viaEnd, "Via");
    return this.#topVia;
  }

  get from(): FromTo {
    this.#from ??= decodeFromTo(this.bytes, this.layout.fromStart, this.layout.fromEnd, "From");
    return this.#from;
  }

  get to(): FromTo {
    this.#to ??= decodeFromTo(this.bytes, this.layout.toStart, this.layout.toEnd, "To");
    return this.#to;
  }

  get callId(): string {
    this.#callId ??= decodeAscii(this.bytes, this.layout.callIdStart, this.layout.callIdEnd);
    return this.#callId;
  }

  get cSeq(): CSeq {
    this.#cSeq ??= decodeCSeq(this.bytes, this.layout.cSeqStart, this.layout.cSeqEnd, "CSeq");
    return this.#cSeq;
  }

  /** The number of the method (of the CSeq in a response) as in method.ts; 0 for unknown ones. Makes no string. */
  get methodId(): number {
    return this.layout.methodId;
  }

  /** The branch of the top Via. Cheaper than `topVia.branch`. */
  get topBranch(): string | undefined {
    if (this.#branch === undefined && this.layout.branchStart >= 0) {
      this.#branch = decodeAscii(this.bytes, this.layout.branchStart, this.layout.branchEnd);
    }
    return this.#branch;
  }

  /** CSeq's number without making an object. */
  get cSeqNumber(): number {
    return this.layout.cSeqNumber;
  }

  get hasToTag(): boolean {
    return this.layout.toTagStart >= 0;
  }

  get hasFromTag(): boolean {
    return this.layout.fromTagStart >= 0;
  }

  get toTag(): string | undefined {
    return this.hasToTag ? decodeAscii(this.bytes, this.layout.toTagStart, this.layout.toTagEnd) : undefined;
  }

  get fromTag(): string | undefined {
    return this.hasFromTag
      ? decodeAscii(this.bytes, this.layout.fromTagStart, this.layout.fromTagEnd)
      : undefined;
  }

  /** True if there is a Route header. */
  get hasRoute(): boolean {
    return this.layout.hasRoute;
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
    this.#requestUri ??= decodeUri(this.bytes, this.layout.targetStart, this.layout.targetEnd, "Request-URI");
    return this.#requestUri;
  }

  get requestUriText(): string {
    this.#requestUriText ??= decodeAscii(this.bytes, this.layout.targetStart, this.layout.targetEnd);
    return this.#requestUriText;
  }

  /** 0 … 255; undefined if the header is absent. */
  get maxForwards(): number | undefined {
    return this.layout.maxForwards < 0 ? undefined : this.layout.maxForwards;
  }

  /** The same request on a copy of its bytes, for keeping beyond the call that delivered it. */
  detach(): SipRequest {
    return new SipRequest(this.bytes.slice(), this.layout, this.index);
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
    return decodeUtf8(this.bytes, this.layout.targetStart, this.layout.targetEnd);
  }

  /** The same response on a copy of its bytes, for keeping beyond the call that delivered it. */
  detach(): SipResponse {
    return new SipResponse(this.bytes.slice(), this.layout, this.index);
  }
}

export type SipMessage = SipRequest | SipResponse;
