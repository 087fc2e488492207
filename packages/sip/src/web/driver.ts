// The driver for browsers: one way out, a WebSocket to one server, and the stack on it. RFC 7118.

import { ArgumentError, StateError, TransportError } from "../errors.ts";
import type { Clock, Timer } from "../ports.ts";
import type { Flow, Listener, ResolveQuery, StackInput, Target, TransportSink } from "../transport/index.ts";
import { isIpv6 } from "../transport/index.ts";
import type { StackDriver } from "../user-agent/index.ts";
import { webClock } from "./clock.ts";
import { webRandom } from "./random.ts";

/** What this driver uses of a browser's WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

export type WebSocketConstructor = new (url: string, protocols: string) => WebSocketLike;

export interface WebDriverOptions {
  /** Where the server is, e.g. "wss://sip.example.com/ws". */
  readonly url: string;
  /** Default: the browser's own. */
  readonly WebSocket?: WebSocketConstructor;
  /** Default: the page's. */
  readonly clock?: Clock;
  /** What tells "online" and "offline". Default: the window, or worker. */
  readonly network?: Pick<EventTarget, "addEventListener" | "removeEventListener">;
}

/** Above this many unsent bytes the server is given up: it does not read. */
const DROP_AT = 1_048_576;
/** How long `stop` waits for the last bytes to leave, milliseconds. */
const FLUSH_TIME = 1_000;

const encoder = new TextEncoder();
/** Never changes what it reads: no byte order mark is taken off, what is no UTF-8 is an error. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Runs a stack over one WebSocket, which is opened when something is to be sent. */
export class WebDriver implements StackDriver, TransportSink {
  readonly clock: Clock;
  /** Wherever a URI leads, the way is over this server (RFC 7118 §5). */
  readonly nextHop: Target;
  /** In Via and Contact: a name of our own that nobody can look up (RFC 7118 §5, RFC 2606). */
  readonly invalidHost: string;
  readonly #url: string;
  /** For errors: what comes after "?" is often a token. */
  readonly #shownUrl: string;
  readonly #WebSocket: WebSocketConstructor;
  readonly #network: WebDriverOptions["network"];
  readonly #sockets = new Map<Flow, WebSocketLike>();
  readonly #onlineListeners = new Set<() => void>();
  #stack: StackInput | undefined;
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #isStopped = false;
  #onSocketsGone: (() => void) | undefined;

  /** @throws {ArgumentError} if the URL is none of ws: or wss:, or there is no WebSocket here */
  constructor(options: WebDriverOptions) {
    const { transport, host, port } = serverOf(options.url);
    const Socket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (Socket === undefined) throw new ArgumentError("there is no WebSocket here: give ws() one");
    this.clock = options.clock ?? webClock;
    this.nextHop = { transport, address: host, port, hostName: host };
    this.invalidHost = `${randomName()}.invalid`;
    this.#url = options.url;
    this.#shownUrl = options.url.split(/[?#]/, 1)[0] ?? "";
    this.#WebSocket = Socket;
    const page = globalThis as Partial<NonNullable<WebDriverOptions["network"]>>;
    const isPage = page.addEventListener !== undefined && page.removeEventListener !== undefined;
    this.#network = options.network ?? (isPage ? (page as WebDriverOptions["network"]) : undefined);
    this.#network?.addEventListener("online", this.#online);
    this.#network?.addEventListener("offline", this.#offline);
  }

  attach(stack: StackInput): void {
    if (this.#stack) throw new StateError("a stack is attached already");
    this.#stack = stack;
  }

  /** Nothing listens in a browser: this is what Via and Contact show. */
  listen(): Listener {
    const { transport, address } = this.nextHop;
    const listener: Listener = {
      ...{ id: 1, transport, port: this.nextHop.port },
      address: isIpv6(address) ? "::" : "0.0.0.0",
      advertise: { host: this.invalidHost },
    };
    this.#requireStack().addListener(listener);
    return listener;
  }

  onOnline(listener: () => void): void {
    this.#onlineListeners.add(listener);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#network?.removeEventListener("online", this.#online);
    this.#network?.removeEventListener("offline", this.#offline);
    this.#timer?.cancel();
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => {
      const limit = this.clock.schedule(FLUSH_TIME, resolve);
      this.#onSocketsGone = () => {
        limit.cancel();
        resolve();
      };
      for (const socket of this.#sockets.values()) socket.close(1000);
    });
  }

  // --- TransportSink --------------------------------------------------------------------------------------

  send(flow: Flow, bytes: Uint8Array): void {
    const socket = this.#sockets.get(flow);
    if (socket === undefined) return;
    if (socket.bufferedAmount > DROP_AT) {
      this.#end(flow, socket, new TransportError("the server does not read what it is sent"));
      return;
    }
    // RFC 7118 §4.2: text unless it is no UTF-8.
    let text: string | undefined;
    try {
      text = decoder.decode(bytes);
    } catch {
      text = undefined;
    }
    socket.send(text ?? bytes);
  }

  connect(flow: Flow): void {
    if (this.#isStopped) {
      this.#later((stack, now) => stack.flowClosed(flow, new TransportError("the driver has stopped"), now));
      return;
    }
    let socket: WebSocketLike;
    try {
      socket = new this.#WebSocket(this.#url, "sip");
    } catch (cause) {
      // A page of https: may not open ws:, for example.
      const error = new TransportError(`no WebSocket to ${this.#shownUrl}`, { cause });
      this.#later((stack, now) => stack.flowClosed(flow, error, now));
      return;
    }
    socket.binaryType = "arraybuffer";
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      this.#input((stack, now) => stack.flowOpened(flow, now));
    };
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
      const bytes = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
      this.#input((stack, now) => stack.receive(bytes, flow, now));
    };
    // Said again, and better, by the close that follows.
    socket.onerror = () => {};
    socket.onclose = ({ code, wasClean }: { code: number; wasClean: boolean }) => {
      // Browsers do not say why a connection failed.
      const reason = isOpen ? `the WebSocket broke (${code})` : `no connection to ${this.#shownUrl}`;
      this.#end(flow, socket, isOpen && wasClean ? undefined : new TransportError(reason));
    };
    this.#sockets.set(flow, socket);
  }

  close(flow: Flow): void {
    this.#sockets.get(flow)?.close(1000);
  }

  resolve(query: ResolveQuery): void {
    this.#later((stack, now) => stack.resolved(query.id, [this.nextHop], now));
  }

  wake(deadline: number): void {
    this.#arm(deadline);
  }

  // --- Inside ---------------------------------------------------------------------------------------------

  readonly #online = (): void => {
    for (const listener of this.#onlineListeners) listener();
  };

  /** The browser itself would notice only when something is sent in vain, minutes later. */
  readonly #offline = (): void => {
    for (const [flow, socket] of [...this.#sockets]) {
      this.#end(flow, socket, new TransportError("the network is gone"));
    }
  };

  #end(flow: Flow, socket: WebSocketLike, error: TransportError | undefined): void {
    if (!this.#sockets.delete(flow)) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#later((stack, now) => stack.flowClosed(flow, error, now));
    if (this.#sockets.size === 0) this.#onSocketsGone?.();
  }

  #requireStack(): StackInput {
    if (!this.#stack) throw new StateError("no stack is attached");
    return this.#stack;
  }

  #input(input: (stack: StackInput, now: number) => void): void {
    const stack = this.#requireStack();
    input(stack, this.clock.now());
    this.#arm(stack.deadline);
  }

  /** Sinks answer later, never during the call. */
  #later(input: (stack: StackInput, now: number) => void): void {
    queueMicrotask(() => this.#input(input));
  }

  #arm(deadline: number): void {
    if (deadline >= this.#armedFor || this.#isStopped) return;
    this.#timer?.cancel();
    this.#armedFor = deadline;
    this.#timer = this.clock.schedule(Math.max(0, deadline - this.clock.now()), () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#input((stack, now) => stack.tick(now));
    });
  }
}

/** @throws {ArgumentError} */
export function serverOf(text: string): { transport: "WS" | "WSS"; host: string; port: number } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ArgumentError(`${JSON.stringify(text)} is no URL`);
  }
  const isSecure = url.protocol === "wss:";
  if (!isSecure && url.protocol !== "ws:") throw new ArgumentError(`${text}: the URL has to be ws: or wss:`);
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  return { transport: isSecure ? "WSS" : "WS", host, port };
}

function randomName(): string {
  let name = "";
  for (const byte of webRandom.bytes(12)) name += "abcdefghijklmnopqrstuvwxyz234567"[byte & 31];
  return name;
}
