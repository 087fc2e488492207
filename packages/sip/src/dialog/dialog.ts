// A dialog: what two user agents share between requests, and what requests inside it look like. RFC 3261 §12.

import { ParseError } from "../errors.ts";
import {
  draftRequest,
  type FromTo,
  type HeaderInit,
  isSipUri,
  type NameAddr,
  printNameAddr,
  type RequestDraft,
  type SipRequest,
  type SipResponse,
  type Uri,
} from "../message/index.ts";
import type { RequestContent, RequestPlan } from "./request-plan.ts";

/** "early" from a provisional response, "confirmed" from a 2xx (§12). */
export type DialogState = "early" | "confirmed" | "terminated";

/** One hop of a route set, as it was recorded. */
export interface RouteEntry {
  readonly uri: Uri;
  /** With angle brackets and every parameter, ready for a Route header field. */
  readonly text: string;
}

/** The parts of a dialog as §12 names them. */
export interface DialogFields {
  readonly callId: string;
  readonly localTag: string;
  /** Empty for a peer of RFC 2543 that sends no tag (§12.1.1, §12.1.2). */
  readonly remoteTag: string;
  readonly localUri: NameAddr;
  readonly remoteUri: NameAddr;
  readonly remoteTarget: Uri;
  readonly routeSet: readonly RouteEntry[];
  readonly localSequence: number | undefined;
  readonly remoteSequence: number | undefined;
  readonly isSecure: boolean;
  /** Who sent the request that made the dialog; the "uac" also made the Call-ID (§14.1). */
  readonly role: "uac" | "uas";
  readonly state: DialogState;
}

/** A peer-to-peer relationship between two user agents that lasts for some time. */
export class Dialog implements DialogFields {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localUri: NameAddr;
  readonly remoteUri: NameAddr;
  readonly role: "uac" | "uas";
  /** Set up by a sips: Request-URI over TLS: our Contact has to be a sips: URI (§12.1.1, §12.2.1.1). */
  readonly isSecure: boolean;
  #state: DialogState;
  #remoteTarget: Uri;
  #routeSet: readonly RouteEntry[];
  #localSequence: number | undefined;
  #remoteSequence: number | undefined;

  constructor(fields: DialogFields) {
    this.callId = fields.callId;
    this.localTag = fields.localTag;
    this.remoteTag = fields.remoteTag;
    this.localUri = fields.localUri;
    this.remoteUri = fields.remoteUri;
    this.role = fields.role;
    this.isSecure = fields.isSecure;
    this.#state = fields.state;
    this.#remoteTarget = fields.remoteTarget;
    this.#routeSet = fields.routeSet;
    this.#localSequence = fields.localSequence;
    this.#remoteSequence = fields.remoteSequence;
  }

  /**
   * The dialog that a response with a To tag makes at the caller (§12.1.2).
   * @param request - as it went out
   * @param isSecureFlow - true if it went over TLS
   * @throws {ParseError} if Contact or Record-Route of the response cannot be read
   */
  static asUac(request: SipRequest, response: SipResponse, isSecureFlow = false): Dialog {
    return new Dialog({
      callId: request.ownCallId,
      localTag: request.from.tag ?? "",
      remoteTag: response.to.tag ?? "",
      localUri: withoutParams(request.from),
      remoteUri: withoutParams(request.to),
      // Laxer than the RFC: a 2xx without Contact leaves us the address that we called.
      remoteTarget: contactUri(response) ?? request.requestUri,
      routeSet: recordedRoutes(response).reverse(),
      localSequence: request.cSeq.sequence,
      remoteSequence: undefined,
      isSecure: isSecureFlow && request.requestUri.scheme === "sips",
      role: "uac",
      state: response.statusCode < 200 ? "early" : "confirmed",
    });
  }

  /**
   * The dialog that our response to `request` makes at the callee (§12.1.1).
   * @param localTag - the To tag of that response
   * @throws {ParseError} if Contact or Record-Route of the request cannot be read
   */
  static asUas(request: SipRequest, localTag: string, state: DialogState, isSecureFlow = false): Dialog {
    return new Dialog({
      callId: request.ownCallId,
      localTag,
      remoteTag: request.from.tag ?? "",
      localUri: withoutParams(request.to),
      remoteUri: withoutParams(request.from),
      remoteTarget: contactUri(request) ?? forRequestLine(request.from.uri),
      routeSet: recordedRoutes(request),
      localSequence: undefined,
      remoteSequence: request.cSeq.sequence,
      isSecure: isSecureFlow && request.requestUri.scheme === "sips",
      role: "uas",
      state,
    });
  }

  get state(): DialogState {
    return this.#state;
  }
  /** Where requests in the dialog finally go; changes with target refresh requests. */
  get remoteTarget(): Uri {
    return this.#remoteTarget;
  }
  get routeSet(): readonly RouteEntry[] {
    return this.#routeSet;
  }
  get localSequence(): number | undefined {
    return this.#localSequence;
  }
  get remoteSequence(): number | undefined {
    return this.#remoteSequence;
  }

  /**
   * A 2xx came or went. At the caller the route set is computed once more from the 2xx, since only that
   * one counts (§13.2.2.4).
   * @throws {ParseError} if Contact or Record-Route of the response cannot be read
   */
  confirm(response?: SipResponse): void {
    if (this.#state === "terminated") return;
    if (response !== undefined && this.#state === "early") {
      this.#routeSet = recordedRoutes(response).reverse();
      this.#remoteTarget = contactUri(response) ?? this.#remoteTarget;
    }
    this.#state = "confirmed";
  }

  terminate(): void {
    this.#state = "terminated";
  }

  /**
   * Judges the CSeq of a request of the peer and remembers it (§12.2.2). Not for ACK and CANCEL, whose
   * numbers repeat an older one.
   * @returns false for a request out of order: it gets a 500
   */
  accept(request: SipRequest): boolean {
    const { sequence } = request.cSeq;
    // Stricter than the RFC: the same number again, in a new transaction, is out of order too.
    if (this.#remoteSequence !== undefined && sequence <= this.#remoteSequence) return false;
    this.#remoteSequence = sequence;
    return true;
  }

  /**
   * §12.2.2, §12.2.1.2: a target refresh request, or the 2xx to ours, may bring a new Contact. One that cannot be
   * read changes nothing.
   */
  refreshTarget(message: SipRequest | SipResponse): void {
    try {
      this.#remoteTarget = contactUri(message) ?? this.#remoteTarget;
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
    }
  }

  /** A request inside the dialog (§12.2.1.1). Each attempt to send it takes the next local sequence number. */
  plan(method: string, content: RequestContent = {}): RequestPlan {
    const { requestUri, routes, nextHop } = this.#path();
    return {
      method,
      requestUri,
      headers: [...this.#fixedHeaders(routes), ...contentHeaders(content)],
      ...(content.body === undefined ? {} : { body: content.body }),
      ...(content.alternatives === undefined ? {} : { alternatives: content.alternatives }),
      ...(nextHop === undefined ? {} : { nextHop }),
      nextSequence: () => this.#nextSequence(),
    };
  }

  /**
   * The ACK to a 2xx (§13.2.2.4): the CSeq number of the INVITE, and its credentials among `content.headers`.
   * `nextHop` is set if the ACK does not go where its topmost Route says.
   */
  ack(sequence: number, content: RequestContent = {}): { draft: RequestDraft; nextHop: Uri | undefined } {
    const { requestUri, routes, nextHop } = this.#path();
    const draft = draftRequest({
      method: "ACK",
      requestUri,
      headers: [...this.#fixedHeaders(routes), ["CSeq", `${sequence} ACK`], ...contentHeaders(content)],
      ...(content.body === undefined ? {} : { body: content.body }),
    });
    return { draft, nextHop };
  }

  #nextSequence(): number {
    // §8.1.1.5: any start below 2^31 will do.
    this.#localSequence = (this.#localSequence ?? 0) + 1;
    return this.#localSequence;
  }

  #fixedHeaders(routes: readonly string[]): HeaderInit[] {
    return [
      ...routes.map((route): HeaderInit => ["Route", route]),
      ["Max-Forwards", 70],
      ["From", printNameAddr(withTag(this.localUri, this.localTag))],
      ["To", printNameAddr(withTag(this.remoteUri, this.remoteTag))],
      ["Call-ID", this.callId],
    ];
  }

  /** Request-URI and Route from remote target and route set (§12.2.1.1). */
  #path(): { requestUri: Uri; routes: readonly string[]; nextHop: Uri | undefined } {
    const [first, ...rest] = this.#routeSet;
    if (first === undefined) return { requestUri: this.#remoteTarget, routes: [], nextHop: undefined };
    if (isLoose(first.uri)) {
      const routes = this.#routeSet.map((route) => route.text);
      return { requestUri: this.#remoteTarget, routes, nextHop: undefined };
    }
    // A strict router (RFC 2543) takes the Request-URI for itself; the target travels as the last Route.
    const requestUri = forRequestLine(first.uri);
    const routes = [
      ...rest.map((route) => route.text),
      printNameAddr({ uri: this.#remoteTarget, params: new Map() }),
    ];
    return { requestUri, routes, nextHop: requestUri };
  }
}

/** Header fields of the content, Content-Type last. */
export function contentHeaders(content: RequestContent): HeaderInit[] {
  const headers = [...(content.headers ?? [])];
  if (content.contentType !== undefined && content.body !== undefined) {
    headers.push(["Content-Type", content.contentType]);
  }
  return headers;
}

/** The URI of the first Contact, as a Request-URI can have it; undefined if there is none or it is "*". */
function contactUri(message: SipRequest | SipResponse): Uri | undefined {
  const contact = message.headers.get("Contact");
  return contact === undefined || typeof contact === "string" ? undefined : forRequestLine(contact.uri);
}

function recordedRoutes(message: SipRequest | SipResponse): RouteEntry[] {
  return message.headers
    .getAll("Record-Route")
    .map((route) => ({ uri: route.uri, text: printNameAddr(route) }));
}

function isLoose(uri: Uri): boolean {
  return isSipUri(uri) && uri.params.has("lr");
}

/** §12.2.1.1, §19.1.1 Table 1: no method parameter and no headers in a Request-URI. */
function forRequestLine(uri: Uri): Uri {
  if (!isSipUri(uri) || (uri.headers.size === 0 && !uri.params.has("method"))) return uri;
  const params = new Map(uri.params);
  params.delete("method");
  return { ...uri, params, headers: new Map() };
}

function withoutParams(value: FromTo): NameAddr {
  return value.displayName === undefined
    ? { uri: value.uri, params: new Map() }
    : { displayName: value.displayName, uri: value.uri, params: new Map() };
}

/** §12.2.1.1: a tag that is null is left out. */
function withTag(value: NameAddr, tag: string): NameAddr {
  return tag === "" ? value : { ...value, params: new Map([["tag", tag]]) };
}
