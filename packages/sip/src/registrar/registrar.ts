// The registrar: REGISTER in eight steps, RFC 3261 §10.3, with Path (RFC 3327) and the SIPS rules of RFC 5630 §5.2.

import type { Challenger, DigestAlgorithm, Ha1Lookup } from "../auth/index.ts";
import { optionTags, unknownTags } from "../core/index.ts";
import {
  aorOf,
  type ContactAsWritten,
  type HeaderInit,
  type HeaderWriter,
  isSipUri,
  parseNameAddr,
  printParams,
  type SipHeaders,
  type SipRequest,
  type SipUri,
} from "../message/index.ts";
import { detachText, shareText } from "../message/own-text.ts";
import type { Clock, MaybePromise } from "../ports.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Flow } from "../transport/flow.ts";
import type { Binding, BindingChange, ContactChange, ReceivedFrom } from "./binding.ts";
import { splitList, writeBinding } from "./contact-text.ts";
import type { LocationService, UpdateResult } from "./location-service.ts";

export interface RegistrarOptions {
  readonly locations: LocationService;
  readonly clock: Pick<Clock, "now">;
  /** Steps 1 and 5: whether bindings for this host are kept here. */
  readonly isOurDomain: (host: string) => boolean;
  /** Step 3; without it everybody may register everything that `authorize` allows. */
  readonly authentication?: RegistrarAuthentication;
  /**
   * Step 4: whether the authenticated user may change the bindings of the address in To, whose realm is the one that
   * the password was shown for; `user` is undefined without authentication. Default: the user part of To is the user's name, or anybody if not authenticated.
   */
  readonly authorize?: (user: string | undefined, to: SipUri, request: SipRequest) => MaybePromise<boolean>;
  /**
   * Step 5: the key for the bindings of the address in To, e.g. of the account behind an alias; undefined if
   * there is no such user (404). Default: `aorOf(to)`.
   */
  readonly addressOfRecord?: (to: SipUri) => MaybePromise<string | undefined>;
  /** Seconds. Default 3600. */
  readonly defaultExpires?: number;
  /** Seconds; shorter requests get 423, unless they ask for an hour or more (step 7). Default 60. */
  readonly minExpires?: number;
  /** Seconds; longer requests are cut to this. Default 7200. */
  readonly maxExpires?: number;
  /** A Path in a REGISTER whose sender does not support it (RFC 3327 §5.3). Default "accept". */
  readonly unsupportedPath?: "accept" | "reject";
  /**
   * RFC 2543 §7.4.10: a Contact whose `action` differs from that of the user's other contacts gets 409. Default false:
   * `action` is a parameter like any other.
   */
  readonly rfc2543?: boolean;
  /** Told of each REGISTER that changed bindings, after its 200. */
  readonly onRegistered?: (aor: string, bindings: readonly Binding[], request: SipRequest) => void;
}

export interface RegistrarAuthentication {
  readonly challenger: Challenger;
  readonly ha1: Ha1Lookup;
  /** The realm to ask for, by the host of the Request-URI. */
  readonly realm: string | ((host: string) => string);
  /** Offered instead of the challenger's own algorithms. */
  readonly algorithms?: readonly DigestAlgorithm[];
}

/** Option tags that a REGISTER may require of us. */
const supportedExtensions: ReadonlySet<string> = new Set(["path"]);
/** More contacts in one request than any device has. */
const maxContacts = 64;
const maxUserAgentLength = 200;

/** Answers REGISTER. Give `handle` to the stack: `methods: new Map([["REGISTER", registrar.handle]])`. */
export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #defaultExpires: number;
  readonly #minExpires: number;
  readonly #maxExpires: number;
  /** Behind one proxy, many bindings come by one flow: they share the object. */
  #lastFlow: Flow | undefined;
  #lastOrigin: ReceivedFrom | undefined;
  #date = "";
  #dateSecond = Number.NaN;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#defaultExpires = options.defaultExpires ?? 3600;
    this.#minExpires = options.minExpires ?? 60;
    this.#maxExpires = options.maxExpires ?? 7200;
  }

  /**
   * Handles one REGISTER to its final response.
   * @throws {ParseError} for a header field that cannot be read; the stack answers with its status
   */
  readonly handle = (incoming: IncomingRequest): MaybePromise<void> => {
    const request = incoming.borrowed;
    const { requestUri } = request;
    // Step 1: is the domain in the Request-URI one that we keep bindings for?
    if (!isSipUri(requestUri) || !this.#options.isOurDomain(requestUri.host)) {
      refuse(incoming, 404, "Not a Registrar for This Domain");
      return;
    }
    // Step 2, before authentication: extensions that we would have to understand (§8.2.2.3).
    if (request.headers.has("Require")) {
      const unknown = unknownTags(request.headers.rawAll("Require"), supportedExtensions);
      if (unknown.length > 0) {
        incoming.respond(420, { headers: [["Unsupported", unknown.join(", ")]] });
        return;
      }
    }
    const { authentication } = this.#options;
    if (authentication === undefined) return this.#authorize(incoming, undefined);
    // Step 3.
    const ourRealm = realmOf(authentication, requestUri.host);
    const { challenger, ha1, algorithms } = authentication;
    return next(challenger.verify("user agent", request, ourRealm, ha1, { algorithms }), (verification) => {
      switch (verification.kind) {
        case "ok":
          return this.#authorize(incoming, verification.user);
        case "malformed":
          refuse(incoming, 400, verification.reason);
          return;
        case "refused":
          refuse(incoming, 403, verification.reason);
          return;
        case "challenge": {
          const { stale } = verification;
          const write = (to: HeaderWriter) =>
            challenger.writeChallenge(to, "user agent", ourRealm, { stale, algorithms });
          incoming.respond(401, { write });
          return;
        }
      }
    });
  };

  /** Steps 4 and 5. */
  #authorize(incoming: IncomingRequest, user: string | undefined): MaybePromise<void> {
    const request = incoming.borrowed;
    const to = request.to.uri;
    // RFC 4475 §3.3.4 (unksm2): bindings exist only for sip and sips addresses.
    if (!isSipUri(to)) return refuse(incoming, 400, "To Is Not a SIP Address");
    const { authorize = mayChangeOwn, isOurDomain, authentication } = this.#options;
    // A name is somebody in one realm only: alice of one domain is not alice of another.
    const { requestUri } = request;
    const askedHost = isSipUri(requestUri) ? requestUri.host : undefined;
    if (user !== undefined && to.host !== askedHost && isOurDomain(to.host) && authentication !== undefined) {
      const asked = askedHost === undefined ? undefined : realmOf(authentication, askedHost);
      if (asked !== realmOf(authentication, to.host)) return refuse(incoming, 403, "Another Domain's User");
    }
    const isAllowed = authorize(user, to, request);
    return isAllowed instanceof Promise
      ? isAllowed.then((allowed) => this.#identify(incoming, to, allowed))
      : this.#identify(incoming, to, isAllowed);
  }

  #identify(incoming: IncomingRequest, to: SipUri, isAllowed: boolean): MaybePromise<void> {
    const { addressOfRecord = aorOf, isOurDomain } = this.#options;
    if (!isAllowed) return refuse(incoming, 403);
    if (!isOurDomain(to.host)) return refuse(incoming, 404);
    const aor = addressOfRecord(to);
    return aor instanceof Promise
      ? aor.then((found) => this.#register(incoming, found))
      : this.#register(incoming, aor);
  }

  /** Steps 6 to 8. */
  #register(incoming: IncomingRequest, aor: string | undefined): MaybePromise<void> {
    if (aor === undefined) return refuse(incoming, 404);
    const { borrowed: request, flow } = incoming;
    const { headers } = request;
    const { locations } = this.#options;
    const path = headers.has("Path") ? readPath(headers) : noPath;
    // RFC 3327 §5.3: a proxy has put itself on the path of a phone that knows nothing of it.
    if (path.length > 0 && this.#options.unsupportedPath === "reject") {
      const tags = optionTags([...headers.rawAll("Supported"), ...headers.rawAll("Require")]);
      if (!tags.includes("path")) {
        incoming.respond(420, { headers: [["Unsupported", "path"]] });
        return;
      }
    }
    const now = this.#options.clock.now();
    // Step 6: without Contact the request only asks (§10.2.3).
    if (!headers.has("Contact")) {
      return next(locations.lookup(aor), (bindings) => this.#accept(incoming, bindings, path, now));
    }
    const contacts = this.#readContacts(request, path);
    if ("status" in contacts) {
      incoming.respond(contacts.status, {
        ...(contacts.reason === undefined ? {} : { reasonPhrase: contacts.reason }),
        ...(contacts.headers === undefined ? {} : { headers: contacts.headers }),
      });
      return;
    }
    const change: BindingChange = {
      callId: request.ownCallId,
      cSeq: request.cSeqNumber,
      contacts: contacts.list,
      path,
      now,
      flowId: flow.id,
      received: this.#originOf(flow),
      userAgent: readUserAgent(headers),
    };
    if (this.#options.rfc2543 !== true || contacts.list === "*") return this.#update(incoming, aor, change);
    const { list } = contacts;
    return next(locations.lookup(aor), (bindings) =>
      hasConflict(bindings, list) ? refuse(incoming, 409) : this.#update(incoming, aor, change),
    );
  }

  #update(incoming: IncomingRequest, aor: string, change: BindingChange): MaybePromise<void> {
    const result = this.#options.locations.update(aor, change);
    if (result instanceof Promise) return result.then((later) => this.#finish(incoming, aor, change, later));
    this.#finish(incoming, aor, change, result);
  }

  #finish(incoming: IncomingRequest, aor: string, change: BindingChange, result: UpdateResult): void {
    if (!result.ok) {
      refuseChange(incoming, result);
      return;
    }
    this.#accept(incoming, result.bindings, change.path, change.now);
    this.#options.onRegistered?.(result.bindings[0]?.aor ?? aor, result.bindings, incoming.request);
  }

  /** §10.3 step 7: only what is shorter than an hour may be refused, and never a removal. */
  #isTooBrief(expires: number): boolean {
    return expires > 0 && expires < 3600 && expires < this.#minExpires;
  }

  #tooBrief(): Refusal {
    return { status: 423, headers: [["Min-Expires", this.#minExpires]] };
  }

  /** The Contact values with the expiry of each decided on, or the response that refuses them. */
  #readContacts(
    request: SipRequest,
    path: readonly string[],
  ): { list: readonly ContactChange[] | "*" } | Refusal {
    const { headers } = request;
    const values = headers.contactsAsWritten();
    const expiresHeader = headers.seconds("Expires");
    if (values.includes("*")) {
      // Step 6: "*" stands alone, and only with an expiry of zero.
      return values.length === 1 && expiresHeader === 0
        ? { list: "*" }
        : { status: 400, reason: "Contact * Needs Expires 0 and Stands Alone" };
    }
    if (values.length > maxContacts) return { status: 403, reason: "Too Many Contacts" };
    const list = new Array<ContactChange>(values.length);
    let sips = 0;
    let added = 0;
    let hasRegId = false;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as ContactAsWritten;
      const { uri, q, instanceId, otherParams } = value;
      const hasOthers = otherParams.size > 0;
      // Step 7: the contact's own parameter, else the header field, else our default.
      const requested = value.expires ?? expiresHeader ?? this.#defaultExpires;
      if (this.#isTooBrief(requested)) return this.#tooBrief();
      if (requested > 0) {
        added++;
        if (value.isSips) sips++;
        if (hasOthers && otherParams.has("reg-id")) hasRegId = true;
      }
      list[i] = {
        uri,
        expires: Math.min(requested, this.#maxExpires),
        q,
        instanceId: instanceId === undefined ? undefined : detachText(instanceId),
        regId: undefined,
        params: hasOthers ? shareText(printParams(otherParams)) : undefined,
      };
    }
    // RFC 5626 §6: with reg-id there is one contact per request.
    if (hasRegId && added > 1) return { status: 400, reason: "Several Contacts with reg-id" };
    // RFC 5630 §5.2: a SIPS contact only if everything on the way to it is SIPS.
    if (sips > 0) {
      const isWhole = request.requestUri.scheme === "sips" && sips === added && path.every(isSipsRoute);
      if (!isWhole) return { status: 400, reason: "SIPS Contact with Other URIs Not SIPS" };
    }
    return { list };
  }

  /** Step 8: all current bindings, each with its expiry, and the date. */
  #accept(
    incoming: IncomingRequest,
    bindings: readonly Binding[],
    path: readonly string[],
    now: number,
  ): void {
    incoming.respond(200, {
      write: (to) => {
        for (const binding of bindings) writeBinding(to, binding, now);
        // RFC 3327 §5.3: shows the phone which proxies have put themselves in between.
        for (const route of path) to.text("Path: ").value(route).text("\r\n");
        to.text("Date: ").text(this.#dateAt(now)).text("\r\n");
      },
    });
  }

  #dateAt(now: number): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      // RFC 1123 form, always GMT (§20.17).
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  #originOf(flow: Flow): ReceivedFrom {
    if (this.#lastFlow !== flow) {
      const { address, port } = flow.remote;
      this.#lastFlow = flow;
      this.#lastOrigin = { transport: flow.transport, address, port };
    }
    return this.#lastOrigin!;
  }
}

/** A final response that changes nothing. */
interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: readonly HeaderInit[];
}

function refuse(incoming: IncomingRequest, status: number, reasonPhrase?: string): void {
  incoming.respond(status, reasonPhrase === undefined ? {} : { reasonPhrase });
}

function refuseChange(incoming: IncomingRequest, result: UpdateResult & { ok: false }): void {
  switch (result.reason) {
    case "out of order":
      // Step 7: the update is aborted and the request fails, as every update that cannot be made: with 500.
      refuse(incoming, 500, "Registration Out of Order");
      return;
    case "too many bindings":
      refuse(incoming, 403, "Too Many Registrations");
      return;
  }
}

/** RFC 2543 §7.4.10: one user's contacts agree on whether calls are forwarded or redirected. */
function hasConflict(bindings: readonly Binding[], added: readonly ContactChange[]): boolean {
  const bound = bindings.map(({ params }) => actionIn(params)).filter((action) => action !== undefined);
  return added.some(({ params, expires }) => {
    const action = actionIn(params);
    return expires > 0 && action !== undefined && bound.some((other) => other !== action);
  });
}

function actionIn(params: string | undefined): string | undefined {
  return /;action=(proxy|redirect)(?:;|$)/i.exec(params ?? "")?.[1]?.toLowerCase();
}

function realmOf({ realm }: RegistrarAuthentication, host: string): string {
  return typeof realm === "string" ? realm : realm(host);
}

function mayChangeOwn(user: string | undefined, to: SipUri): boolean {
  return user === undefined || user === to.user || user === `${to.user}@${to.host}`;
}

/** Calls `then` now, or once the promise is there: a store in memory costs no turn of the event loop. */
function next<T, R>(value: MaybePromise<T>, then: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}

const noPath: readonly string[] = [];

/** The values of Path as they stand. @throws {ParseError} if one is no address */
function readPath(headers: SipHeaders): readonly string[] {
  headers.getAll("Path");
  return headers.rawAll("Path").flatMap(splitList).map(detachText);
}

function readUserAgent(headers: SipHeaders): string | undefined {
  const text = headers.shared("User-Agent");
  return text === undefined || text.length <= maxUserAgentLength
    ? text
    : detachText(text.slice(0, maxUserAgentLength));
}

/** @throws {ParseError} for a Path value that is no address */
function isSipsRoute(route: string): boolean {
  return parseNameAddr(route).uri.scheme === "sips";
}
