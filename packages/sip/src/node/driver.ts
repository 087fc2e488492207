// The driver for Node: real sockets, one real timer, and the stack between them.

import { ArgumentError, StateError, TransportError } from "../errors.ts";
import type { Clock, Timer } from "../ports.ts";
import type {
  Flow,
  Listener,
  Reach,
  ResolveQuery,
  Resolver,
  StackInput,
  Target,
  TransportName,
  TransportSink,
} from "../transport/index.ts";
import { isIpv6 } from "../transport/index.ts";
import type { TlsClientOptions } from "./certificate-files.ts";
import { nodeClock } from "./clock.ts";
import { type DnsOptions, type DnsResolver, dnsResolver } from "./dns.ts";
import {
  describeListener,
  type FlowSocket,
  type ListenerSocket,
  type ListenOptions,
  type SocketHost,
} from "./host.ts";
import { MessageListener } from "./messages.ts";
import { acceptStream, connectStream, TcpListener } from "./tcp.ts";
import { connectTls, TlsClient, TlsListener } from "./tls.ts";
import { openUdp } from "./udp.ts";

export interface NodeDriverOptions {
  /** Default: the process's own. Tests pass one that they move. */
  clock?: Clock;
  /** Default: RFC 3263 with the system's name servers, `dnsResolver`. One given here is not closed by `stop`. */
  resolver?: Resolver;
  /** For the default resolver: name servers, waiting, cache. */
  dns?: DnsOptions;
  /** Who we are and whom we trust on TLS connections that we open. Default: no certificate, public authorities. */
  tls?: TlsClientOptions;
  /** Told of errors that belong to no flow: listening sockets, certificates that cannot be reloaded. Default: ignored. */
  onError?(error: Error): void;
}

/** Transports whose connections we can open. */
const CONNECTS: readonly TransportName[] = ["TCP", "TLS"];

/** How long `stop` waits for the last bytes to leave. */
const FLUSH_TIME = 1_000;

/**
 * Runs a stack on real sockets:
 *
 *     const driver = new NodeDriver();
 *     const stack = new Stack({ sink: driver, clock: driver.clock, random: nodeRandom });
 *     driver.attach(stack);
 *     await driver.listen({ transport: "UDP", address: "127.0.0.1", port: 5060 });
 */
export class NodeDriver implements TransportSink {
  readonly clock: Clock;
  readonly #resolver: Resolver;
  /** The resolver, if we have made it. */
  readonly #ownResolver: DnsResolver | undefined;
  readonly #host: SocketHost;
  readonly #sockets = new Map<number, ListenerSocket>();
  readonly #streams = new Set<FlowSocket>();
  #tlsClient: TlsClient | undefined;
  #stack: StackInput | undefined;
  #nextId = 1;
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #isStopped = false;
  #onStreamsGone: (() => void) | undefined;

  /** @throws {TransportError} if the files of `tls` cannot be used */
  constructor(options: NodeDriverOptions = {}) {
    const { clock = nodeClock } = options;
    this.clock = clock;
    if (options.resolver === undefined) this.#ownResolver = dnsResolver({ clock, ...options.dns });
    this.#resolver = options.resolver ?? this.#ownResolver!;
    const requireStack = () => this.#requireStack();
    this.#host = {
      clock,
      get stack() {
        return requireStack();
      },
      afterInput: () => this.#arm(this.#requireStack().deadline),
      report: (error) => options.onError?.(error),
    };
    if (options.tls !== undefined) this.#tlsClient = new TlsClient(options.tls, this.#host.report);
  }

  /** The stack to run; once, before `listen`. */
  attach(stack: StackInput): void {
    if (this.#stack) throw new StateError("a stack is attached already");
    this.#stack = stack;
  }

  /** Opens a socket and tells the stack. Rejects with the system's error if it cannot be bound. */
  async listen(options: ListenOptions): Promise<Listener> {
    const stack = this.#requireStack();
    if (this.#isStopped) throw new StateError("the driver has stopped");
    const socket = await this.#open(this.#nextId++, options);
    this.#sockets.set(socket.listener.id, socket);
    stack.addListener(socket.listener);
    return socket.listener;
  }

  /**
   * Lists a socket that a WebSocket server of the caller's listens on. What the server accepts it gives to the
   * listener that this returns; it stops listening itself when the driver does.
   */
  listenForMessages(
    options: Pick<ListenOptions, "address" | "advertise"> & { transport: "WS" | "WSS"; port: number },
  ): MessageListener {
    const stack = this.#requireStack();
    if (this.#isStopped) throw new StateError("the driver has stopped");
    const listener = describeListener(this.#nextId++, options, options.address, options.port);
    const socket = new MessageListener(
      this.#host,
      listener,
      (connection) => this.#streams.add(connection),
      (connection) => this.#forget(connection),
    );
    this.#sockets.set(listener.id, socket);
    stack.addListener(listener);
    return socket;
  }

  /** Listeners that are open; for UDP with the buffer sizes that the system granted, and if they work in batches. */
  get listeners(): readonly Pick<ListenerSocket, "listener" | "bufferSizes" | "isBatched">[] {
    return Array.from(this.#sockets.values(), ({ listener, bufferSizes, isBatched = false }) => ({
      listener,
      ...(bufferSizes !== undefined && { bufferSizes, isBatched }),
    }));
  }

  /**
   * Reads all certificates and keys again; connections that are open stay as they are. Changed files are noticed
   * without it.
   * @returns what could not be used, if anything: there the old ones stay in use
   */
  reloadCertificates(): Error[] {
    const problems: Error[] = [];
    const holders = [...this.#sockets.values()].filter((socket) => socket instanceof TlsListener);
    for (const holder of [...holders, ...(this.#tlsClient === undefined ? [] : [this.#tlsClient])]) {
      try {
        holder.reload();
      } catch (error) {
        problems.push(error as Error);
      }
    }
    return problems;
  }

  /** Closes one listener. Its connections stay; resolves once they have ended too. */
  async closeListener(id: number): Promise<void> {
    const socket = this.#sockets.get(id);
    if (!socket) return;
    this.#sockets.delete(id);
    this.#requireStack().removeListener(id);
    await socket.close();
  }

  /** Closes everything, connections after what was sent on them. Nothing here keeps the process alive then. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#ownResolver?.close();
    const listeners = [...this.#sockets.keys()].map((id) => this.closeListener(id));
    await this.#closeStreams();
    await Promise.all(listeners);
    this.#tlsClient?.close();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  // --- TransportSink --------------------------------------------------------------------------------------

  send(flow: Flow, bytes: Uint8Array): void {
    if (flow.isReliable) {
      (flow.handle as FlowSocket | undefined)?.send(bytes);
      return;
    }
    const socket = this.#sockets.get(flow.listener.id);
    if (socket?.send !== undefined) socket.send(flow, bytes);
    else
      this.#later((stack, now) => stack.sendFailed(flow, new TransportError("the listener is closed"), now));
  }

  connect(flow: Flow, target: Target): void {
    const { transport } = target;
    if (this.#isStopped || (transport !== "TCP" && transport !== "TLS")) {
      const reason = this.#isStopped ? "the driver has stopped" : `no support for ${transport}`;
      this.#later((stack, now) => stack.flowClosed(flow, new TransportError(reason), now));
      return;
    }
    const onClosed = () => this.#forget(stream);
    const stream: FlowSocket =
      transport === "TCP"
        ? connectStream(this.#host, flow, target, onClosed)
        : connectTls(this.#host, flow, target, this.#requireTlsClient(), onClosed);
    this.#streams.add(stream);
  }

  close(flow: Flow): void {
    (flow.handle as FlowSocket | undefined)?.close();
  }

  resolve(query: ResolveQuery): void {
    const answer = (result: readonly Target[] | Error) => {
      if (this.#isStopped) return;
      this.#requireStack().resolved(query.id, result, this.clock.now());
      this.#host.afterInput();
    };
    this.#resolver.resolve(query, this.#reach()).then(
      (targets) => answer(this.#reachable(targets)),
      (error: unknown) => answer(error instanceof Error ? error : new TransportError(String(error))),
    );
  }

  wake(deadline: number): void {
    this.#arm(deadline);
  }

  // --- Inside ---------------------------------------------------------------------------------------------

  #requireStack(): StackInput {
    if (!this.#stack) throw new StateError("no stack is attached");
    return this.#stack;
  }

  #requireTlsClient(): TlsClient {
    this.#tlsClient ??= new TlsClient({}, this.#host.report);
    return this.#tlsClient;
  }

  async #open(id: number, options: ListenOptions): Promise<ListenerSocket> {
    switch (options.transport) {
      case "UDP":
        return await openUdp(this.#host, id, options);
      case "TCP":
        return await TcpListener.open(this.#host, id, options, (socket, listener) => {
          const stream = acceptStream(this.#host, socket, listener, () => stream && this.#forget(stream));
          if (stream) this.#streams.add(stream);
        });
      case "TLS": {
        const { client } = options.tls ?? {};
        if (client !== undefined) this.#tlsClient ??= new TlsClient(client, this.#host.report);
        const connectionReuse = this.#tlsClient?.hasCertificate === true && options.tls?.key !== undefined;
        return await TlsListener.open(
          this.#host,
          id,
          { connectionReuse, ...options },
          (stream) => this.#streams.add(stream),
          (stream) => this.#forget(stream),
        );
      }
      default:
        throw new ArgumentError(`no support for ${options.transport} listeners`);
    }
  }

  /** One real timer, for the earliest deadline. A deadline that moves back leaves it: it then fires for nothing. */
  #arm(deadline: number): void {
    if (deadline >= this.#armedFor || this.#isStopped) return;
    this.#timer?.cancel();
    this.#armedFor = deadline;
    this.#timer = this.clock.schedule(Math.max(0, deadline - this.clock.now()), () => {
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.#timer = undefined;
      const stack = this.#requireStack();
      stack.tick(this.clock.now());
      this.#arm(stack.deadline);
    });
  }

  /** Sinks answer later, never during the call. */
  #later(input: (stack: StackInput, now: number) => void): void {
    queueMicrotask(() => {
      input(this.#requireStack(), this.clock.now());
      this.#host.afterInput();
    });
  }

  /** What we have sockets for, and what can be opened from beside them (`connect`). */
  #reach(): Reach {
    const listeners = Array.from(this.#sockets.values(), ({ listener }) => listener);
    const families = ([6, 4] as const).filter((family) =>
      listeners.some(({ address }) => isIpv6(address) === (family === 6)),
    );
    const hasUdp = listeners.some(({ transport }) => transport === "UDP");
    return {
      transports: hasUdp ? ["UDP", ...CONNECTS] : CONNECTS,
      families: families.length > 0 ? families : [6, 4],
    };
  }

  /** Without those of a family that no listener of ours has, if that leaves any. */
  #reachable(targets: readonly Target[]): readonly Target[] {
    const families = new Set(Array.from(this.#sockets.values(), ({ listener }) => isIpv6(listener.address)));
    const reachable = targets.filter(({ address }) => families.has(isIpv6(address)));
    return reachable.length > 0 ? reachable : targets;
  }

  #forget(stream: FlowSocket): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#onStreamsGone?.();
  }

  async #closeStreams(): Promise<void> {
    if (this.#streams.size === 0) return;
    const gone = new Promise<void>((resolve) => {
      this.#onStreamsGone = resolve;
    });
    for (const stream of this.#streams) stream.close();
    // Real time on purpose: it is the system's sockets that are waited for.
    const limit = setTimeout(() => {
      for (const stream of this.#streams) stream.destroy();
    }, FLUSH_TIME);
    await gone;
    clearTimeout(limit);
  }
}
