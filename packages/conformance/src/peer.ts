// A foreign peer on the stage: it sends text and expects patterns. It has the manners of a transaction layer, so that a
// scenario need not care for lost and doubled datagrams, and nothing else of a SIP stack.

import { type Captures, composeText, readText, replyText, type WireText } from "@offhook/sip/testing";
import type { Endpoint, Flow, TransportName } from "@offhook/sip/transport";
import type { Checks } from "./check.ts";
import { type Match, matchesOf, whyNoMatch } from "./pattern.ts";
import { PeerManners } from "./peer-manners.ts";
import { type PeerFlow, PeerSockets } from "./peer-sockets.ts";
import { contactOf, hopByHop, nameIn, namesIn, routesOf, tagOf } from "./peer-text.ts";
import { fieldOf } from "./recording.ts";
import type { StageDriver } from "./stage-driver.ts";

/** Somebody on the stage that can be sent to. */
export interface Part {
  readonly name: string;
  endpoint(transport: TransportName): Endpoint;
}

/** What a peer needs of the stage. */
export interface PeerContext {
  readonly driver: StageDriver;
  readonly check: Checks;
  readonly transport: TransportName;
  /** True in bad weather. */
  readonly isWeather: boolean;
  /** What `sees` of the stage has captured: patterns and texts of peers know it too. */
  readonly captures: Captures;
  /** Waits until `done`, as long as anything can still happen. */
  wait(done: () => boolean): Promise<boolean>;
  /** Lets what is under way arrive. */
  settle(): Promise<void>;
  /** Where requests go if the peer was not told. */
  defaultRemote(): Part | undefined;
}

export interface PeerOptions {
  /** Where its requests go. Default: the server. */
  readonly to?: Part;
  /** Default: the stage's. */
  readonly transport?: TransportName;
  /** False: nothing is resent or absorbed by itself, no ACK is sent; every copy can be expected. Default true. */
  readonly manners?: boolean;
}

/** Our side of a dialog (RFC 3261 §12.1). */
interface PeerDialog {
  readonly callId: string;
  /** Values of From and To in our requests. */
  readonly local: string;
  readonly remote: string;
  readonly target: string;
  readonly routes: readonly string[];
  readonly flow: PeerFlow;
  sequence: number;
}

/** A message that came. */
export interface Arrived extends WireText {
  readonly flow: Flow;
}

export class Peer implements Part {
  readonly name: string;
  readonly captures: Captures = {};
  /** The last message that `expect` took. */
  last: Arrived | undefined;
  /** Where requests go; settable. */
  remote: Part | undefined;
  readonly #context: PeerContext;
  readonly #transport: TransportName;
  readonly #sockets: PeerSockets;
  readonly #manners: PeerManners | undefined;
  readonly #inbox: Arrived[] = [];
  readonly #tags = new Map<string, string>();
  #count = 0;
  #registeredAs: string | undefined;
  #lastInvite: WireText | undefined;
  /** The last 2xx to an INVITE of ours. */
  #answer: Arrived | undefined;
  #dialog: PeerDialog | undefined;

  constructor(name: string, context: PeerContext, options: PeerOptions) {
    this.name = name;
    this.#context = context;
    this.#transport = options.transport ?? context.transport;
    const { driver, isWeather } = context;
    this.#sockets = new PeerSockets(driver, this.#transport, (bytes, flow) => this.#arrived(bytes, flow));
    if (options.manners !== false)
      this.#manners = new PeerManners({
        ...{ clock: driver.clock, isWeather },
        transmit: (flow, bytes) => this.#sockets.transmit(flow, bytes),
      });
    this.remote = options.to;
  }

  /** For the stage: opens the socket. */
  async open(): Promise<void> {
    const { address, port } = await this.#sockets.open();
    Object.assign(this.captures, {
      ...{ host: address, port: String(port), transport: this.#transport, name: this.name },
      uri: this.uri,
    });
  }

  endpoint(_transport: TransportName): Endpoint {
    const { address, port } = this.#sockets.listener;
    return { address, port };
  }

  /** Its Contact: the address and port, with the transport unless it is UDP. */
  get uri(): string {
    const { address, port } = this.#sockets.listener;
    const parameter = this.#transport === "UDP" ? "" : `;transport=${this.#transport.toLowerCase()}`;
    return `sip:${this.name}@${address}:${port}${parameter}`;
  }

  /** What it is registered as, or the name in DNS that leads to it. */
  get aor(): string {
    return this.#registeredAs ?? `sip:${this.name}@${this.name}.example`;
  }

  /** Messages that came and were not expected yet. */
  get waiting(): readonly WireText[] {
    return this.#inbox;
  }

  // --- Sending ----------------------------------------------------------------------------------------------

  /**
   * Sends a new request: `peer.request("INVITE sip:bob@home.example", "Contact: <{uri}>")`. Via, Max-Forwards, From, To,
   * Call-ID, CSeq, for INVITE Contact, and Content-Length are made. A line given replaces those of its name, `!Name`
   * leaves them out, lines after an empty one are the body. `{branch}`, `{callId}`, `{fromTag}` hold what was made.
   */
  request(line: string, ...more: readonly string[]): void {
    this.#count++;
    const [method = "", uri = ""] = line.split(" ");
    const unique = `${this.name}${this.#count}`;
    Object.assign(this.captures, {
      ...{ branch: `z9hG4bK-${unique}`, callId: `call-${unique}`, fromTag: `from-${unique}` },
    });
    const gap = more.indexOf("");
    const given = gap < 0 ? more : more.slice(0, gap);
    const names = namesIn(more);
    const made = [
      "Via: SIP/2.0/{transport} {host}:{port};branch={branch};rport",
      "Max-Forwards: 70",
      "From: <sip:{name}@{name}.example>;tag={fromTag}",
      `To: <${uri}>`,
      "Call-ID: {callId}",
      `CSeq: 1 ${method}`,
      ...(method === "INVITE" || method === "REGISTER" ? ["Contact: <{uri}>"] : []),
      "Content-Length: {length}",
    ].filter((field) => !names.has(nameIn(field)));
    const body = gap < 0 ? [] : more.slice(gap);
    const fields = given.filter((field) => !field.startsWith("!"));
    this.send([`${line} SIP/2.0`, ...made, ...fields, ...body].join("\n"));
  }

  /**
   * A further request in the dialog of the last INVITE, sent or answered, early or not: to its Contact by its
   * Record-Route, CSeq one higher than our last one there. Lines as for `request`.
   */
  requestInDialog(method: string, ...more: readonly string[]): void {
    const dialog = this.#dialog;
    if (dialog === undefined) throw new Error(`${this.name} has no dialog`);
    const { callId, local, remote, target, routes } = dialog;
    const given = namesIn(more);
    const made = [
      ...routes.map((route) => `Route: ${route}`),
      ...[`From: ${local}`, `To: ${remote}`, `Call-ID: ${callId}`, `CSeq: ${++dialog.sequence} ${method}`],
      ...(method === "UPDATE" ? ["Contact: <{uri}>"] : []),
    ].filter((field) => !given.has(nameIn(field)));
    this.request(`${method} ${target}`, ...made, ...more);
    Object.assign(this.captures, { callId, fromTag: tagOf(local) });
  }

  /** Registers as a phone of this address-of-record, e.g. "sip:bob@home.example". */
  async register(aor: string): Promise<void> {
    this.request(
      `REGISTER sip:${aor.slice(aor.indexOf("@") + 1)}`,
      `To: <${aor}>`,
      `From: <${aor}>;tag={fromTag}`,
    );
    await this.expect(`${this.name} is registered as ${aor}`, "SIP/2.0 200 OK");
    this.#registeredAs = aor;
  }

  /** Sends a message written as text, one line each, filled in; the body after an empty line. */
  send(text: string): void {
    this.#send(composeText(text, this.#known()), undefined);
  }

  /** Sends these bytes, whatever they are, and never again; as an answer by the way that the request came. */
  sendBytes(bytes: Uint8Array | string, answering?: Arrived): void {
    const flow = answering === undefined ? this.#flowToRemote() : (answering.flow as PeerFlow);
    this.#sockets.transmit(flow, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /**
   * Answers the request that `expect` took last, or another one: `bob.reply("180 Ringing")`. Responses that make a dialog
   * get a Contact; further lines as for `request`, they replace what would be copied from the request.
   */
  reply(status: string, ...extra: readonly string[]): void {
    const { last } = this;
    if (last === undefined || last.startLine.startsWith("SIP/"))
      throw new Error(`${this.name} has expected no request to answer`);
    this.replyTo(last, status, ...extra);
  }

  replyTo(request: Arrived, status: string, ...extra: readonly string[]): void {
    const isInvite = request.startLine.startsWith("INVITE ");
    const makesDialog = isInvite && /^(1(?!00)|2)\d\d /.test(status);
    const hasContact = extra.some((field) => /^(contact|m)\s*:/i.test(field));
    const lines = makesDialog && !hasContact ? ["Contact: <{uri}>", ...extra] : extra;
    const given = namesIn(extra);
    const copied = { ...request, fields: request.fields.filter((field) => !given.has(nameIn(field))) };
    const text = replyText(
      copied,
      this.#tagFor(fieldOf(request, "Call-ID") ?? ""),
      status,
      lines.filter((field) => !field.startsWith("!")),
    );
    const bytes = composeText(text, this.#known());
    const flow = request.flow as PeerFlow;
    if (makesDialog) {
      const { fields } = readText(bytes, flow.remote);
      const [local, remote] = [fieldOf({ ...request, fields }, "To") ?? "", fieldOf(request, "From") ?? ""];
      this.#noteDialog(request, { local, remote, routes: routesOf(request), flow, sequence: 0 });
    }
    this.#send(bytes, flow);
  }

  /**
   * The ACK of the last 2xx to our INVITE (§13.2.2.4), to its Contact by its Record-Route; those of other finals go out by
   * themselves.
   */
  ack(): void {
    const response = this.#answer;
    if (response === undefined) throw new Error(`${this.name} has no 2xx to acknowledge`);
    const [, sequence = "1"] = /^(\d+)/.exec(fieldOf(response, "CSeq") ?? "") ?? [];
    this.#count++;
    this.send(
      [
        `ACK ${contactOf(response)} SIP/2.0`,
        `Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK-ack${this.name}${this.#count};rport`,
        "Max-Forwards: 70",
        ...routesOf(response)
          .reverse()
          .map((route) => `Route: ${route}`),
        `From: ${fieldOf(response, "From")}`,
        `To: ${fieldOf(response, "To")}`,
        `Call-ID: ${fieldOf(response, "Call-ID")}`,
        `CSeq: ${sequence} ACK`,
        "Content-Length: {length}",
      ].join("\n"),
    );
  }

  /** The CANCEL of our last INVITE (§9.1). */
  cancel(): void {
    const invite = this.#lastInvite;
    if (invite === undefined) throw new Error(`${this.name} has sent no INVITE`);
    this.send(hopByHop("CANCEL", invite, fieldOf(invite, "To") ?? ""));
  }

  // --- Expecting --------------------------------------------------------------------------------------------

  /**
   * Waits for a message that fits, which need not be the first: others stay for later. Patterns are those of WirePeer:
   * the first line, further lines each among the field lines, `!` before one that must match none, after an empty line the
   * body's; `{name}` captures, `{name:regular expression}` too, `{*}` is anything.
   */
  async expect(name: string, pattern: string): Promise<Captures & { text: string }> {
    let found: Match<Arrived> | undefined;
    const search = () => {
      found ??= this.#find(pattern);
      return found !== undefined;
    };
    await this.#context.wait(search);
    if (found === undefined)
      this.#context.check.fail(name, whyNoMatch(pattern, this.#inbox, this.#known(), this.name));
    const { message, captured } = found;
    this.#inbox.splice(this.#inbox.indexOf(message), 1);
    this.last = message;
    Object.assign(this.captures, captured);
    this.#context.check.pass(name);
    return { ...this.#known(), text: message.text };
  }

  /** Fails if a message that fits has come, or comes with what is under way. */
  async expectNone(name: string, pattern = "{*}"): Promise<void> {
    await this.#context.settle();
    const found = this.#find(pattern);
    if (found !== undefined) this.#context.check.fail(name, `this came:\n${found.message.text}`);
    this.#context.check.pass(name);
  }

  /** Closes its sockets: from now on nobody is there. */
  async leave(): Promise<void> {
    this.#manners?.stop();
    await this.#context.driver.stop();
  }

  // --- Inside -----------------------------------------------------------------------------------------------

  #known(): Captures {
    return { ...this.#context.captures, ...this.captures };
  }

  #find(pattern: string): Match<Arrived> | undefined {
    return matchesOf(pattern, this.#inbox, this.#known())[0];
  }

  #tagFor(callId: string): string {
    let tag = this.#tags.get(callId);
    if (tag === undefined) {
      tag = `${this.name}-${this.#tags.size + 1}`;
      this.#tags.set(callId, tag);
    }
    return tag;
  }

  #send(bytes: Uint8Array, given: PeerFlow | undefined): void {
    const text = readText(bytes, this.#sockets.listener);
    const flow = given ?? this.#flowToRemote();
    this.#sockets.transmit(flow, bytes);
    if (text.startLine.startsWith("INVITE ")) this.#lastInvite = text;
    if (text.startLine.startsWith("SIP/")) this.#manners?.onResponseSent(text, bytes, flow);
    else this.#manners?.onRequestSent(text, bytes, flow);
  }

  /** §12.1; of a dialog that is known already only the remote target is new (§12.2). */
  #noteDialog(message: Arrived, dialog: Omit<PeerDialog, "callId" | "target">): void {
    const [callId, target] = [fieldOf(message, "Call-ID") ?? "", contactOf(message)];
    const isKnown = this.#dialog?.callId === callId && tagOf(this.#dialog.remote) === tagOf(dialog.remote);
    this.#dialog = { ...(isKnown && this.#dialog !== undefined ? this.#dialog : dialog), callId, target };
  }

  #flowToRemote(): PeerFlow {
    const remote = this.remote ?? this.#context.defaultRemote();
    if (remote === undefined && this.#dialog !== undefined) return this.#dialog.flow;
    if (remote === undefined) throw new Error(`${this.name} does not know where to send: give it \`to\``);
    return this.#sockets.flowTo(remote.endpoint(this.#transport));
  }

  #arrived(bytes: Uint8Array, flow: PeerFlow): void {
    const message: Arrived = { ...readText(bytes, flow.remote), flow };
    if (message.text.trim() === "") return;
    if (message.startLine.startsWith("SIP/")) this.#noteResponse(message);
    if (this.#manners?.isNew(message, flow) !== false) this.#inbox.push(message);
  }

  /** What later requests of ours need of it. */
  #noteResponse(message: Arrived): void {
    const [, code = 0] = /^SIP\/2\.0 (\d{3})/.exec(message.startLine)?.map(Number) ?? [];
    const cSeq = fieldOf(message, "CSeq") ?? "";
    if (!cSeq.endsWith("INVITE") || code <= 100 || code >= 300) return;
    if (code >= 200) this.#answer = message;
    const [local, remote] = [fieldOf(message, "From") ?? "", fieldOf(message, "To") ?? ""];
    if (tagOf(remote) === "" || fieldOf(message, "Contact") === undefined) return;
    const flow = message.flow as PeerFlow;
    const [routes, sequence] = [routesOf(message).reverse(), Number.parseInt(cSeq, 10)];
    this.#noteDialog(message, { local, remote, routes, flow, sequence });
  }
}
