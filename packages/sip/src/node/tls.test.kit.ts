// Elements that speak TLS on real sockets, and certificates for them made when they are needed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { draftRequest } from "../message/index.ts";
import type { Clock } from "../ports.ts";
import { type RequestFailure, Stack, type StackOptions } from "../stack.ts";
import type { Flow, Listener, Target } from "../transport/index.ts";
import type { TlsClientOptions, TlsListenOptions } from "./certificate-files.ts";
import { NodeDriver } from "./driver.ts";
import { makeCertificate } from "./make-certificate.ts";
import { nodeRandom } from "./random.ts";

/** An authority that the elements trust, and one that they do not know. */
export const authority = makeCertificate({ names: [], commonName: "Test Root", isAuthority: true });
export const stranger = makeCertificate({ names: [], commonName: "Strange Root", isAuthority: true });

/** A good certificate for these names. */
export function issue(...names: string[]) {
  return makeCertificate({ names, issuer: authority });
}

const today = Date.now();
/** That many days from when the tests began, the same even beyond midnight. */
export const days = (count: number) => new Date(today + count * 86_400_000);

export interface Element {
  readonly driver: NodeDriver;
  readonly stack: Stack;
  /** What `onError` was told. */
  readonly errors: Error[];
  /** Flows of the requests that came, each answered with 200. */
  readonly arrivals: Flow[];
  /** Opens a TLS listener on a free port. */
  listen(tls?: TlsListenOptions): Promise<Listener>;
}

/** A stack that answers every request with 200. */
export function element(
  options: { tls?: TlsClientOptions; clock?: Clock } & Partial<StackOptions> = {},
): Element {
  const { tls, clock, ...rest } = options;
  const errors: Error[] = [];
  const arrivals: Flow[] = [];
  const driver = new NodeDriver({
    ...(tls && { tls }),
    ...(clock && { clock }),
    onError: (error) => errors.push(error),
  });
  const stack = new Stack({
    ...{ sink: driver, clock: driver.clock, random: nodeRandom },
    roles: {
      isOurs: () => true,
      route: (incoming) => {
        arrivals.push(incoming.flow);
        incoming.respond(200);
      },
    },
    ...rest,
  });
  driver.attach(stack);
  const listen = (own: TlsListenOptions = {}) =>
    driver.listen({ transport: "TLS", address: "127.0.0.1", tls: own });
  return { driver, stack, errors, arrivals, listen };
}

/** The target that a listener is, looked up under this name. */
export function targetOf({ address, port }: Listener, hostName?: string): Target {
  return { transport: "TLS", address, port, ...(hostName !== undefined && { hostName }) };
}

/** Sends OPTIONS; the flow that brought the 200, or what went wrong. */
export function ask({ stack }: Element, target: Target): Promise<Flow | RequestFailure> {
  const draft = draftRequest({
    method: "OPTIONS",
    requestUri: "sip:b@example.com",
    headers: [
      ["From", "<sip:a@example.com>;tag=1"],
      ["To", "<sip:b@example.com>"],
      ["Call-ID", stack.newCallId()],
      ["CSeq", "1 OPTIONS"],
      ["Max-Forwards", 70],
    ],
  });
  return new Promise((resolve) => {
    stack.request(draft, {
      targets: [target],
      user: {
        onResponse: (_response, _request, flow) => resolve(flow),
        onFailure: (failure) => resolve(failure),
      },
    });
  });
}

/** What went wrong, in words; throws if nothing did. */
export async function complaint(from: Element, target: Target): Promise<string> {
  const outcome = await ask(from, target);
  if (!("kind" in outcome)) throw new Error("it went through");
  return outcome.error?.message ?? outcome.kind;
}

/** A bare TLS client that believes everybody; rejects if the handshake fails. */
export function rawClient({ port }: Listener, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: "127.0.0.1", port, rejectUnauthorized: false, checkServerIdentity: () => undefined },
      ...options,
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => resolve(socket));
  });
}

/** A folder for certificate files. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "offhook-tls-"));
  return {
    path,
    write(name: string, text: string): string {
      const file = join(path, name);
      writeFileSync(file, text);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Waits for a condition; false if it does not come within some seconds. */
export async function until(done: () => boolean | Promise<boolean>): Promise<boolean> {
  // Counted in looks: a process that stands still has not looked.
  for (let looks = 0; !(await done()); looks++) {
    if (looks === 4000) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}
