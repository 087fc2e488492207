// TLS by node:tls: handshakes, certificates, identities. RFC 3261 §26.3, RFC 5922, RFC 8996. After the handshake
// a connection is a stream like any other (tcp.ts).

import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { connect, createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { TransportError } from "../errors.ts";
import type { Flow, Listener, Target } from "../transport/index.ts";
import { canonicalHost, isLiteralAddress } from "../transport/index.ts";
import {
  filesOf,
  loadClientContext,
  loadServerContexts,
  type ServerContexts,
  type TlsClientOptions,
  type TlsListenOptions,
  type TlsServerOptions,
  watchFiles,
} from "./certificate-files.ts";
import { sipIdentities, speaksFor } from "./certificate-identity.ts";
import type { FlowSocket, ListenerSocket, ListenOptions, SocketHost } from "./host.ts";
import { acceptFlow, connectOptions, probeAfter, StreamSocket, TcpListener } from "./tcp.ts";
import { handshakeCut, nameMismatch, tlsError, untrusted } from "./tls-errors.ts";

/** A connection on its way through the handshake; then a stream takes its place in the flow. */
class Handshake implements FlowSocket {
  readonly flow: Flow;
  readonly #host: SocketHost;
  readonly #socket: Socket;
  readonly #onClosed: () => void;
  #error: Error | undefined;
  #stream: StreamSocket | undefined;

  /** `socket`: what to destroy to end it. */
  constructor(host: SocketHost, socket: Socket, flow: Flow, onClosed: () => void) {
    this.flow = flow;
    this.#host = host;
    this.#socket = socket;
    this.#onClosed = onClosed;
    flow.handle = this;
    socket.on("close", () => this.#closed());
  }

  /** Nothing is sent on a flow before it has opened. */
  send(): void {}

  close(): void {
    if (this.#stream) this.#stream.close();
    else this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  done(socket: TLSSocket, peerIdentities: readonly string[]): void {
    const host = this.#host;
    this.#stream = new StreamSocket(host, socket, this.flow, this.#onClosed, tlsError);
    host.stack.flowOpened(this.flow, host.clock.now(), peerIdentities);
    host.afterInput();
  }

  #closed(): void {
    if (this.#stream) return;
    this.#onClosed();
    this.#host.stack.flowClosed(this.flow, this.#error ?? handshakeCut(), this.#host.clock.now());
    this.#host.afterInput();
  }
}

/** One listening TLS socket. */
export class TlsListener implements ListenerSocket {
  readonly #host: SocketHost;
  readonly #certificates: ServerCertificates | undefined;
  readonly #policy: NonNullable<TlsServerOptions["clientCertificates"]>;
  readonly #server: Server | undefined;
  /** By the address and port of the peer: node:tls makes the socket that comes out of a handshake itself. */
  readonly #handshakes = new Map<string, Handshake>();
  #tcp: TcpListener | undefined;

  private constructor(host: SocketHost, options: TlsListenOptions) {
    this.#host = host;
    this.#policy = options.clientCertificates ?? "off";
    const { certificate, key } = options;
    if (certificate === undefined || key === undefined) return;
    const certificates = new ServerCertificates({ ...options, certificate, key }, (error) =>
      host.report(error),
    );
    this.#certificates = certificates;
    // Never listens itself: it gets its connections when the stack has agreed to them.
    const server = createServer({
      ...certificates.fallback,
      ...certificates.sni,
      requestCert: this.#policy !== "off",
      // What comes is judged in #secured, where the certificate can be named.
      rejectUnauthorized: false,
      // The stack's limit on half-open connections is the shorter one.
      handshakeTimeout: 60_000,
    });
    this.#server = server;
    certificates.onReload = (fallback) => server.setSecureContext(fallback);
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error, socket) => {
      // Without a port it has closed already, and was reported as cut off.
      const handshake = this.#handshakes.get(peerKey(socket));
      if (handshake === undefined) return;
      const { code } = error as NodeJS.ErrnoException;
      handshake.fail(code === "ECONNRESET" ? handshakeCut(error) : tlsError(error));
    });
  }

  /**
   * Loads the certificates and binds. Without certificate and key the port is ours, for Via and Contact, but nobody
   * gets in: a client that only opens connections, as most phones are.
   * @throws {TransportError} about certificates; the system's error if it cannot be bound
   */
  static async open(
    host: SocketHost,
    id: number,
    options: ListenOptions,
    onStream: (socket: FlowSocket) => void,
    onClosed: (socket: FlowSocket) => void,
  ): Promise<TlsListener> {
    const self = new TlsListener(host, options.tls ?? {});
    try {
      self.#tcp = await TcpListener.open(host, id, options, (raw, listener) =>
        self.#accept(raw, listener, onStream, onClosed),
      );
    } catch (error) {
      self.#certificates?.close();
      throw error;
    }
    return self;
  }

  get listener(): Listener {
    return (this.#tcp as TcpListener).listener;
  }

  /** Reads the files again. @throws {TransportError} if they cannot be used; the old ones stay in use */
  reload(): void {
    this.#certificates?.reload();
  }

  async close(): Promise<void> {
    this.#certificates?.close();
    await this.#tcp?.close();
  }

  #accept(
    raw: Socket,
    listener: Listener,
    onStream: (socket: FlowSocket) => void,
    onClosed: (socket: FlowSocket) => void,
  ): void {
    const server = this.#server;
    if (server === undefined) {
      raw.on("error", () => {});
      raw.resetAndDestroy();
      return;
    }
    // Half-open from here on: it counts, and has `connectTime` to finish the handshake.
    const flow = acceptFlow(this.#host, raw, listener);
    if (flow === undefined) return;
    const key = peerKey(raw);
    const handshake: Handshake = new Handshake(this.#host, raw, flow, () => onClosed(handshake));
    raw.on("error", () => {});
    raw.on("close", () => this.#handshakes.delete(key));
    this.#handshakes.set(key, handshake);
    onStream(handshake);
    server.emit("connection", raw);
    this.#host.afterInput();
  }

  #secured(socket: TLSSocket): void {
    socket.on("error", () => {});
    const handshake = this.#handshakes.get(peerKey(socket));
    if (handshake === undefined || handshake.flow.state === "closed") {
      socket.destroy();
      return;
    }
    const certificate = this.#policy === "off" ? undefined : socket.getPeerX509Certificate();
    const problem =
      certificate !== undefined && socket.authorized
        ? undefined
        : untrusted(String(socket.authorizationError ?? ""), certificate);
    if (problem !== undefined && this.#policy === "required") {
      handshake.fail(problem);
      return;
    }
    // RFC 5922 §7.4: who shows no good certificate is not authenticated.
    handshake.done(
      socket,
      problem === undefined && certificate !== undefined ? sipIdentities(certificate) : [],
    );
  }
}

/** The certificates of a listener, kept as new as their files. */
export class ServerCertificates {
  /** Called with what connections without a known name get from now on. */
  onReload: ((fallback: ServerContexts["fallback"]) => void) | undefined;
  readonly #options: TlsServerOptions;
  readonly #report: (error: Error) => void;
  readonly #unwatch: () => void;
  #contexts: ServerContexts;

  /** @throws {TransportError} saying which file is wrong, and how */
  constructor(options: TlsServerOptions, report: (error: Error) => void) {
    this.#options = options;
    this.#report = report;
    this.#contexts = loadServerContexts(options);
    this.#warn();
    this.#unwatch = watchFiles(filesOf(options), () => this.#filesChanged(), report);
  }

  get fallback(): ServerContexts["fallback"] {
    return this.#contexts.fallback;
  }

  /** RFC 5922 §7.8: the certificate of the domain that the client asks for. Options for a server of node:tls. */
  readonly sni = {
    SNICallback: (name: string, answer: (error: Error | null, context?: SecureContext) => void): void =>
      answer(null, this.#contexts.byDomain.get(canonicalHost(name))),
  };

  /** Reads the files again. @throws {TransportError} if they cannot be used; the old ones stay in use */
  reload(): void {
    this.#contexts = loadServerContexts(this.#options);
    this.#warn();
    this.onReload?.(this.#contexts.fallback);
  }

  close(): void {
    this.#unwatch();
  }

  #filesChanged(): void {
    try {
      this.reload();
    } catch (error) {
      const { message } = error as Error;
      this.#report(new TransportError(`${message}; the certificates in use stay`, { cause: error }));
    }
  }

  #warn(): void {
    for (const warning of this.#contexts.warnings) this.#report(new TransportError(warning));
  }
}

/** Our side of the connections that we open. */
export class TlsClient {
  /** True if we have a certificate to show. */
  readonly hasCertificate: boolean;
  readonly #options: TlsClientOptions;
  readonly #unwatch: () => void;
  #context: SecureContext;

  /** @throws {TransportError} saying which file is wrong, and how */
  constructor(options: TlsClientOptions, report: (error: Error) => void) {
    this.#options = options;
    this.hasCertificate = options.certificate !== undefined;
    this.#context = loadClientContext(options);
    this.#unwatch = watchFiles(
      filesOf(options),
      () => {
        try {
          this.reload();
        } catch (error) {
          const { message } = error as Error;
          report(new TransportError(`${message}; the certificates in use stay`, { cause: error }));
        }
      },
      report,
    );
  }

  get context(): SecureContext {
    return this.#context;
  }

  /** Reads the files again. @throws {TransportError} if they cannot be used; the old ones stay in use */
  reload(): void {
    this.#context = loadClientContext(this.#options);
  }

  close(): void {
    this.#unwatch();
  }

  /**
   * RFC 5922 §7.3: the server is who it was looked up as, by a chain that we trust.
   * @param wanted the host of the URI, before any look-up
   * @returns what is wrong; undefined if it may be used
   */
  judge(socket: TLSSocket, wanted: string): TransportError | undefined {
    if (this.#options.verify === false) return undefined;
    const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
    if (!socket.authorized || certificate === undefined) {
      return untrusted(String(socket.authorizationError ?? ""), certificate);
    }
    return speaksFor(certificate, wanted) ? undefined : nameMismatch(certificate, wanted);
  }
}

/** Connects for an outbound flow, which opens once the server has proved who it is. */
export function connectTls(
  host: SocketHost,
  flow: Flow,
  target: Target,
  client: TlsClient,
  onClosed: () => void,
): FlowSocket {
  const wanted = target.hostName ?? target.address;
  const socket = connect({
    ...connectOptions(flow, target),
    secureContext: client.context,
    // RFC 6066 §3: names only.
    servername: isLiteralAddress(wanted) ? "" : wanted,
    // Judged below instead, by SIP's rules and with the certificate at hand; nothing is sent before.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, probeAfter);
  const handshake = new Handshake(host, socket, flow, onClosed);
  socket.on("error", (error: NodeJS.ErrnoException) => {
    handshake.fail(error.code === "ECONNRESET" ? handshakeCut(error) : tlsError(error));
  });
  socket.on("secureConnect", () => {
    const problem = client.judge(socket, wanted);
    if (problem !== undefined) {
      handshake.fail(problem);
      return;
    }
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    handshake.done(socket, certificate === undefined ? [] : sipIdentities(certificate));
  });
  return handshake;
}

function peerKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
