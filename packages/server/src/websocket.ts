// SIP over WebSocket on an HTTP server: who gets in, and what its connections do for their flows. RFC 7118, RFC 6455.

import { isUtf8 } from "node:buffer";
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Clock } from "@offhook/sip";
import {
  type MessageConnection,
  type MessageListener,
  type MessageSocket,
  nodeClock,
  sipIdentities,
} from "@offhook/sip/node";
import { type WebSocket, WebSocketServer } from "ws";

export interface WebSocketOptions {
  /** Where connections go that have got in. */
  readonly listener: MessageListener;
  /** Origins of pages that may connect beside those of this host and of localhost, or "*" for all. */
  readonly origins: readonly string[];
  /** Hosts that this server is reached by: their pages may connect. */
  isOurHost(host: string): boolean;
  /** Bytes of one message. */
  readonly messageSize: number;
  /** Milliseconds between pings; who has sent nothing at all by the next one is gone. */
  readonly pingInterval: number;
  /** For pings; default: this process's. */
  readonly clock?: Clock;
}

/** Why a handshake was refused, for logs. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Milliseconds that a peer has for its part of the closing handshake. */
const closeTime = 3000;

/** RFC 6455 §7.4.1. */
const normalClosure = 1000;
const goingAway = 1001;

/** Takes the upgrades of one HTTP server. */
export class WebSocketGate {
  readonly #options: WebSocketOptions;
  readonly #server: WebSocketServer;
  #isClosing = false;

  constructor(http: Server, options: WebSocketOptions) {
    this.#options = options;
    // @types/ws does not know this option yet.
    const unknown: object = { closeTimeout: closeTime };
    this.#server = new WebSocketServer({
      ...unknown,
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.messageSize,
      handleProtocols: () => "sip",
    });
    http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** From now on nobody gets in, and connections that end are told that the server is going away. */
  close(): void {
    this.#isClosing = true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {});
    const refusal = this.#isClosing
      ? { status: 503, reason: "the server is stopping", headers: { "Retry-After": "10" } }
      : checkHandshake(request.headers, this.#options);
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    const { remoteAddress: address, remotePort: port } = request.socket;
    if (address === undefined || port === undefined) {
      socket.destroy();
      return;
    }
    const connection = this.#options.listener.accept({ address, port });
    if (connection === undefined) {
      refuse(socket, { status: 503, reason: "too many connections", headers: { "Retry-After": "10" } });
      return;
    }
    // A handshake that `ws` itself refuses ends in no other way.
    const gone = () => connection.closed();
    socket.once("close", gone);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off("close", gone);
      this.#run(webSocket, connection, identitiesOf(request.socket));
    });
  }

  #run(webSocket: WebSocket, connection: MessageConnection, identities: readonly string[] | undefined): void {
    let error: Error | undefined;
    let isAlive = true;
    const { pingInterval, clock = nodeClock } = this.#options;
    const ping = () => {
      if (!isAlive) {
        error ??= new Error("a ping was not answered");
        webSocket.terminate();
        return;
      }
      isAlive = false;
      webSocket.ping();
      timer = clock.schedule(pingInterval, ping);
    };
    let timer = clock.schedule(pingInterval, ping);
    webSocket.on("pong", () => {
      isAlive = true;
    });
    webSocket.on("message", (data: Buffer) => {
      isAlive = true;
      connection.received(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    });
    webSocket.on("error", (cause) => {
      error ??= cause;
    });
    webSocket.on("close", (code) => {
      timer.cancel();
      // RFC 6455 §7.1.5: 1006 is no code that anybody sent; the connection was cut.
      if (code === 1006) error ??= new Error("the connection was cut");
      connection.closed(error);
    });
    const socket: MessageSocket = {
      get bufferedAmount() {
        return webSocket.bufferedAmount;
      },
      // RFC 7118 §4.2: text or binary. Browsers want text; what is no UTF-8 cannot be that.
      send: (bytes, sent) => webSocket.send(bytes, { binary: !isUtf8(bytes) }, sent),
      pause: () => webSocket.pause(),
      resume: () => webSocket.resume(),
      close: () => webSocket.close(this.#isClosing ? goingAway : normalClosure),
      destroy: () => webSocket.terminate(),
    };
    connection.opened(socket, identities);
  }
}

/** RFC 7118 §4.1, RFC 6455 §4.2: what is refused before `ws` looks at the rest of the handshake. */
export function checkHandshake(
  headers: IncomingMessage["headers"],
  options: Pick<WebSocketOptions, "origins" | "isOurHost">,
): Refusal | undefined {
  if (headers.upgrade?.toLowerCase() !== "websocket") {
    return { status: 426, reason: "only WebSocket is spoken here", headers: { Upgrade: "websocket" } };
  }
  // Its name is compared as it is: subprotocols are case-sensitive tokens.
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (!offered.includes("sip")) {
    return { status: 400, reason: "the subprotocol sip is required (RFC 7118)" };
  }
  if (headers.origin !== undefined && !isAllowedOrigin(headers.origin, headers.host, options)) {
    return { status: 403, reason: "pages from this origin may not connect" };
  }
  return undefined;
}

/**
 * Browsers say which page connects (RFC 6455 §10.2): by default one of this host, on any port, or of localhost. That
 * Origin and Host agree is not enough: anybody may let a name of theirs lead to this machine (DNS rebinding).
 */
function isAllowedOrigin(
  origin: string,
  host: string | undefined,
  { origins, isOurHost }: Pick<WebSocketOptions, "origins" | "isOurHost">,
): boolean {
  if (origins.includes("*") || origins.includes(origin.toLowerCase())) return true;
  const from = hostOf(origin);
  if (from === undefined) return false;
  if (isThisMachine(from)) return true;
  const bare = from.startsWith("[") ? from.slice(1, -1) : from;
  return from === hostOf(`http://${host ?? ""}`) && (isIP(bare) !== 0 || isOurHost(bare));
}

function isThisMachine(host: string): boolean {
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  return (
    bare === "localhost" ||
    bare.endsWith(".localhost") ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}

/** RFC 5922 §7.4: who its certificate says the client is, if it showed one that we trust. */
function identitiesOf(socket: Socket): string[] | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : sipIdentities(certificate);
}

function hostOf(url: string): string | undefined {
  const host = URL.parse(url)?.hostname;
  return host === "" ? undefined : host;
}

function refuse(socket: Duplex, { status, reason, headers = {} }: Refusal): void {
  const body = `${reason}\n`;
  const fields = {
    Connection: "close",
    "Content-Type": "text/plain",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join("")}\r\n${body}`);
}
