// A foreign peer on the stage: it sends text and expects patterns. It has the manners of a transaction layer (RFC 3261
// §17), so that a scenario need not care for lost and doubled datagrams, and nothing else of a SIP stack.

import {
  type Captures,
  composeText,
  matchText,
  readText,
  replyText,
  WireMismatch,
  type WireText,
} from "@offhook/sip/testing";
import {
  type Endpoint,
  type Flow,
  type Listener,
  StreamFraming,
  type TransportName,
} from "@offhook/sip/transport";
import type { Checks } from "./check.ts";
import { contactOf, dialogKey, hopByHop, routesOf, tagOf, transactionKey } from "./peer-text.ts";
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

const T1 = 500;
const T2 = 4000;

/** Our flow: plain data. */
interface PeerFlow extends Flow {
  state: Flow["state"];
  readonly queue: Uint8Array[];
  readonly framing: StreamFraming | undefined;
}

/** What is resent until something stops it. */
interface Resending {
  bytes: Uint8Array;
  flow: PeerFlow;
  isStopped: boolean;
}

/** A request that came. */
interface Served {
  response: Uint8Array | undefined;
  resending: Resending | undefined;
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
  readonly #hasManners: boolean;
  readonly #inbox: Arrived[] = [];
  readonly #seen = new Set<string>();
  readonly #sent = new Map<string, Resending & { text: WireText }>();
  readonly #served = new Map<string, Served>();
  readonly #acks = new Map<string, { bytes: Uint8Array; flow: PeerFlow }>();
  readonly #flows = new Map<string, PeerFlow>();
  readonly #tags = new Map<string, string>();
  #listener: Listener | undefined;
  #count = 0;
  #lastInvite: WireText | undefined;
  /** The last 2xx to an INVITE of ours. */
  #answer: Arrived | undefined;
  #dialog: PeerDialog | undefined;

  constructor(name: string, context: PeerContext, options: PeerOptions) {
    this.name = name;
    this.#context = context;
    this.#transport = options.transport ?? context.transport;
    this.#hasManners = options.manners ?? true;
    this.remote = options.to;
  }

  /** For the stage: opens the socket. */
  async open(): Promise<void> {
    const { driver } = this.#context;
    driver.attach({
      addListener: () => {},
      removeListener: () => {},
      acceptFlow: (listener, remote) => this.#flow(listener, remote),
      receive: (bytes, flow) => this.#receive(bytes, flow as PeerFlow),
      flowOpened: (flow) => this.#opened(flow as PeerFlow),
      flowClosed: (flow) => {
        (flow as PeerFlow).state = "closed";
        this.#flows.delete(keyOf(flow.remote));
      },
      sendFailed: () => {},
      resolved: () => {},
      tick: () => {},
      deadline: Number.POSITIVE_INFINITY,
    });
    this.#listener = await driver.listen({ transport: this.#transport, address: "" });
    const { address, port } = this.#listener;
    Object.assign(this.captures, {
      ...{ host: address, port: String(port), transport: this.#transport, name: this.name },
      uri: this.uri,
    });
  }

  endpoint(_transport: TransportName): Endpoint {
    const { address, port } = this.#bound;
    return { address, port };
  }

  /** Its Contact: the address and port, with the transport unless it is UDP. */
  get uri(): string {
    const { address, port } = this.#bound;
    const parameter = this.#transport === "UDP" ? "" : `;transport=${this.#transport.toLowerCase()}`;
    return `sip:${this.name}@${address}:${port}${parameter}`;
  }

  /** The name in DNS that leads to it. */
  get aor(): string {
    return `sip:${this.name}@${this.name}.example`;
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

  /** Sends a message written as text, one line each, filled in; the body after an empty line. */
  send(text: string): void {
    this.#send(composeText(text, this.#known()), undefined);
  }

  /** Sends these bytes, whatever they are, and never again; as an answer by the way that the request came. */
  sendBytes(bytes: Uint8Array | string, answering?: Arrived): void {
    const flow = answering === undefined ? this.#flowToRemote() : (answering.flow as PeerFlow);
    this.#transmit(flow, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
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
    let found: { message: Arrived; captured: Captures } | undefined;
    const search = () => {
      found ??= this.#find(pattern);
      return found !== undefined;
    };
    await this.#context.wait(search);
    if (found === undefined) this.#context.check.fail(name, this.#explain(pattern));
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
    for (const resending of this.#sent.values()) resending.isStopped = true;
    for (const { resending } of this.#served.values()) if (resending) resending.isStopped = true;
    await this.#context.driver.stop();
  }

  // --- Inside -----------------------------------------------------------------------------------------------

  get #bound(): Listener {
    if (this.#listener === undefined) throw new Error(`${this.name} is not on the stage yet`);
    return this.#listener;
  }

  #known(): Captures {
    return { ...this.#context.captures, ...this.captures };
  }

  #find(pattern: string): { message: Arrived; captured: Captures } | undefined {
    for (const message of this.#inbox) {
      try {
        return { message, captured: matchText(pattern, message, this.#known()) };
      } catch (error) {
        if (!(error instanceof WireMismatch)) throw error;
      }
    }
    return undefined;
  }

  /** Why nothing fits: the mismatch with the message that resembles it most, else what came at all. */
  #explain(pattern: string): string {
    const [wanted = ""] = pattern.trim().split("\n");
    const near = this.#inbox.find(({ startLine }) => startLine.slice(0, 11) === wanted.slice(0, 11));
    if (near !== undefined) {
      try {
        matchText(pattern, near, this.#known());
      } catch (error) {
        return (error as Error).message;
      }
    }
    const came = this.#inbox.map(({ startLine }) => `  ${startLine}`).join("\n");
    return `${this.name} expected:\n${pattern}\n${came === "" ? "and nothing came" : `but this came:\n${came}`}`;
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
    const text = readText(bytes, this.#bound);
    const isResponse = text.startLine.startsWith("SIP/");
    const flow = given ?? this.#flowToRemote();
    if (isResponse) this.#sendResponse(text, bytes, flow);
    else this.#sendRequest(text, bytes, flow);
  }

  #sendRequest(text: WireText, bytes: Uint8Array, flow: PeerFlow): void {
    const method = text.startLine.split(" ", 1)[0] ?? "";
    this.#transmit(flow, bytes);
    if (method === "INVITE") this.#lastInvite = text;
    if (!this.#hasManners) return;
    if (method === "ACK") {
      this.#acks.set(dialogKey(text), { bytes, flow });
      return;
    }
    const resending = { bytes, flow, isStopped: false, text };
    this.#sent.set(transactionKey(text), resending);
    if (!flow.isReliable) this.#resend(resending, method === "INVITE" ? Number.POSITIVE_INFINITY : T2);
  }

  #sendResponse(text: WireText, bytes: Uint8Array, flow: PeerFlow): void {
    this.#transmit(flow, bytes);
    if (!this.#hasManners) return;
    const served = this.#served.get(transactionKey(text));
    if (served === undefined) return;
    if (served.resending !== undefined) served.resending.isStopped = true;
    served.response = bytes;
    if (!(fieldOf(text, "CSeq") ?? "").endsWith("INVITE")) return;
    const code = Number(text.startLine.slice(8, 11));
    const isRepeated =
      code >= 300 ? !flow.isReliable : code >= 200 || (code > 100 && this.#context.isWeather);
    if (!isRepeated) return;
    served.resending = { bytes, flow, isStopped: false };
    this.#resend(served.resending, T2);
  }

  #resend(resending: Resending, longest: number): void {
    const { clock } = this.#context.driver;
    const end = clock.now() + 64 * T1;
    const later = (interval: number) =>
      clock.schedule(interval, () => {
        if (resending.isStopped || clock.now() > end) return;
        this.#transmit(resending.flow, resending.bytes);
        later(Math.min(interval * 2, longest));
      });
    later(T1);
  }

  #transmit(flow: PeerFlow, bytes: Uint8Array): void {
    if (flow.state === "connecting") flow.queue.push(bytes);
    else if (flow.state === "open") this.#context.driver.send(flow, bytes);
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
    const endpoint = remote.endpoint(this.#transport);
    const known = this.#flows.get(keyOf(endpoint));
    if (known !== undefined) return known;
    const flow = this.#flow(this.#bound, endpoint);
    if (flow.isReliable) {
      this.#flows.set(keyOf(endpoint), flow);
      this.#context.driver.connect(flow, { transport: this.#transport, ...endpoint });
    }
    return flow;
  }

  #flow(listener: Listener, remote: Endpoint): PeerFlow {
    const isReliable = listener.transport !== "UDP";
    return {
      id: keyOf(remote),
      ...{ transport: listener.transport, isReliable, listener, remote, queue: [] },
      state: isReliable ? "connecting" : "open",
      framing: isReliable ? new StreamFraming({ messageSize: 1_048_576 }) : undefined,
    };
  }

  #opened(flow: PeerFlow): void {
    flow.state = "open";
    for (const bytes of flow.queue.splice(0)) this.#context.driver.send(flow, bytes);
  }

  #receive(bytes: Uint8Array, flow: PeerFlow): void {
    if (flow.framing === undefined) {
      this.#arrived(bytes.slice(), flow);
      return;
    }
    flow.framing.push(bytes, {
      message: (message) => this.#arrived(message.slice(), flow),
      ping: () => {},
      pong: () => {},
      broken: (_error, head) => this.#arrived(head.slice(), flow),
    });
  }

  #arrived(bytes: Uint8Array, flow: PeerFlow): void {
    const message: Arrived = { ...readText(bytes, flow.remote), flow };
    if (message.text.trim() === "") return;
    if (!this.#hasManners) {
      this.#inbox.push(message);
      return;
    }
    if (message.startLine.startsWith("SIP/")) this.#onResponse(message);
    else this.#onRequest(message, flow);
  }

  #onRequest(message: Arrived, flow: PeerFlow): void {
    const key = transactionKey(message);
    if (message.startLine.startsWith("ACK ")) {
      // Stops the final response that it is for: of its transaction, or the 2xx of its dialog (§17.2.1, §13.3.1.4).
      for (const [other, { resending }] of this.#served) {
        if (resending !== undefined && (other === key || other.endsWith(` ${dialogKey(message)}`)))
          resending.isStopped = true;
      }
      if (!this.#isCopy(message)) this.#inbox.push(message);
      return;
    }
    const served = this.#served.get(key);
    if (served === undefined) {
      this.#served.set(key, { response: undefined, resending: undefined });
      this.#inbox.push(message);
    } else if (served.response !== undefined) this.#transmit(flow, served.response);
  }

  #onResponse(message: Arrived): void {
    const sent = this.#sent.get(transactionKey(message));
    const code = Number(message.startLine.slice(8, 11));
    const isInvite = (fieldOf(message, "CSeq") ?? "").endsWith("INVITE");
    if (sent !== undefined && (isInvite || code >= 200)) sent.isStopped = true;
    if (isInvite && code >= 300 && sent !== undefined) {
      const ack = composeText(hopByHop("ACK", sent.text, fieldOf(message, "To") ?? ""), {});
      this.#transmit(sent.flow, ack);
    }
    const to = fieldOf(message, "To") ?? "";
    if (
      isInvite &&
      code > 100 &&
      code < 300 &&
      tagOf(to) !== "" &&
      fieldOf(message, "Contact") !== undefined
    ) {
      const flow = message.flow as PeerFlow;
      const local = fieldOf(message, "From") ?? "";
      const sequence = Number.parseInt(fieldOf(message, "CSeq") ?? "", 10);
      this.#noteDialog(message, { local, remote: to, routes: routesOf(message).reverse(), flow, sequence });
    }
    if (isInvite && code >= 200 && code < 300) this.#answer = message;
    if (!this.#isCopy(message)) {
      this.#inbox.push(message);
      return;
    }
    // §13.2.2.4: the ACK again for every copy of the 2xx.
    const ack = isInvite && code < 300 ? this.#acks.get(dialogKey(message)) : undefined;
    if (ack !== undefined && code >= 200) this.#transmit(ack.flow, ack.bytes);
  }

  #isCopy({ text }: WireText): boolean {
    if (this.#seen.has(text)) return true;
    this.#seen.add(text);
    return false;
  }
}

/** The names of field lines up to the body, in lower case; those that are to be left out too. */
function namesIn(lines: readonly string[]): ReadonlySet<string> {
  const gap = lines.indexOf("");
  return new Set((gap < 0 ? lines : lines.slice(0, gap)).map(nameIn));
}

function nameIn(line: string): string {
  return line.replace(/^!/, "").split(":", 1)[0]!.trim().toLowerCase();
}

function keyOf({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
