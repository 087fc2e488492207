// For the tests of this folder: one request, a server that answers it as told, and everything that was sent.

import assert from "node:assert/strict";
import { Credentials } from "../auth/index.ts";
import type { RequestContent } from "../dialog/index.ts";
import { type HeaderInit, parseUri, type SipRequest, type SipResponse } from "../message/index.ts";
import { nodeHash } from "../node/index.ts";
import { type IncomingRequest, Stack } from "../stack.ts";
import { Network, SeededRandom, VirtualClock, VirtualDriver } from "../testing/index.ts";
import { type ResponseContext, Uac, type UacOptions } from "./uac.ts";

export interface Reply {
  readonly code: number;
  readonly headers?: readonly HeaderInit[];
}

/** Sends one request to a server that answers as told, and gives back everything that was sent. */
export async function exchange(
  answer: (request: SipRequest, count: number) => Reply,
  options: {
    method?: string;
    uri?: string;
    headers?: readonly HeaderInit[];
    body?: RequestContent["body"];
    contentType?: string;
    alternatives?: RequestContent["alternatives"];
    credentials?: Credentials;
    dialog?: "owner" | "other";
    uac?: Partial<UacOptions>;
  } = {},
) {
  const clock = new VirtualClock();
  const network = new Network({ clock, names: { "home.example": ["10.0.0.2"] } });
  const requests: SipRequest[] = [];
  const at: number[] = [];
  for (const address of ["10.0.0.2", "10.0.0.3", "10.0.0.4"]) {
    const driver = new VirtualDriver(network, address);
    const route = (incoming: IncomingRequest) => {
      if (incoming.request.method === "ACK") return;
      requests.push(incoming.request);
      at.push(clock.now());
      const { code, headers = [] } = answer(incoming.request, requests.length);
      incoming.respond(code, { headers });
    };
    const stack = new Stack({
      ...{ sink: driver, clock, random: new SeededRandom(2) },
      roles: { isOurs: () => true, route },
    });
    driver.attach(stack);
    driver.listen({ transport: "UDP" });
  }
  const driver = new VirtualDriver(network, "10.0.0.1");
  const random = new SeededRandom(1);
  const stack = new Stack({ sink: driver, clock, random });
  driver.attach(stack);
  driver.listen({ transport: "UDP" });
  const uac = new Uac({ stack, clock, random, homeHost: "home.example", ...options.uac });
  const requestUri = parseUri(options.uri ?? "sip:bob@10.0.0.2");
  const plan = uac.plan({
    method: options.method ?? "MESSAGE",
    requestUri,
    from: { uri: parseUri("sip:alice@home.example"), params: new Map() },
    ...(requestUri.scheme.startsWith("sip") ? {} : { nextHop: parseUri("sip:home.example") }),
    headers: options.headers ?? [],
    ...(options.body === undefined ? {} : { body: options.body }),
    ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
    ...(options.alternatives === undefined ? {} : { alternatives: options.alternatives }),
  });
  let outcome: [SipResponse, ResponseContext] | undefined;
  uac.send(
    plan,
    {
      onFinal: (response, context) => {
        outcome = [response, context];
      },
    },
    {
      ...(options.credentials === undefined ? {} : { auth: options.credentials.session() }),
      ...(options.dialog === undefined ? {} : { dialog: options.dialog }),
    },
  );
  assert(await clock.runUntil(() => outcome !== undefined));
  const [response, context] = outcome!;
  return { requests, at, code: response.statusCode, retries: context.retries, context };
}

/** The first answer, then 200. */
export const once =
  (code: number, ...headers: HeaderInit[]) =>
  (_: SipRequest, count: number): Reply =>
    count === 1 ? { code, headers } : { code: 200 };

export const credentials = new Credentials({
  credentials: [{ user: "alice", password: "secret" }],
  hash: nodeHash,
  random: new SeededRandom(8),
});
export const challenge = (realm: string, nonce: string, more = "") =>
  ["WWW-Authenticate", `Digest realm="${realm}", nonce="${nonce}", qop="auth"${more}`] as const;

/** Bodies to send. */
export const short = { body: "short", contentType: "text/plain" } as const;
export const text = { body: "a long text", contentType: "text/plain" } as const;
export const sdp = { body: "v=0 long", contentType: "application/sdp" } as const;
