// What the server does with requests: registrar and proxy over the account directory, and its own answers; put together
// from the configuration.

import type { Random } from "@offhook/sip";
import { computeHa1, type Ha1Lookup } from "@offhook/sip/auth";
import { type NodeDriver, nodeHash } from "@offhook/sip/node";
import { ProxyServer } from "@offhook/sip/proxy";
import { Registrar } from "@offhook/sip/registrar";
import type { Stack } from "@offhook/sip/stack";
import type { Logger } from "pino";
import { type Config, isLoopback, sipHosts } from "./config.ts";
import type { Domains } from "./domains.ts";
import type { Metrics } from "./metrics.ts";
import { makeOwnAnswers } from "./own-requests.ts";
import { PasswordThrottle, ThrottledChallenger } from "./password-throttle.ts";
import { AccountDirectory, makeAdmission } from "./routing/index.ts";
import type { Store } from "./store/index.ts";

export interface RolesOptions {
  readonly config: Config;
  readonly domains: Domains;
  readonly store: Store;
  readonly stack: Stack;
  readonly driver: Pick<NodeDriver, "clock" | "listeners">;
  readonly random: Random;
  /** Signs Record-Route values. */
  readonly secret: Uint8Array;
  /** Told of wrong passwords. */
  readonly metrics: Pick<Metrics, "authFailed" | "authThrottled">;
  readonly log: Logger;
}

/** Gives the stack its roles. */
export function assignRoles(options: RolesOptions): ProxyServer {
  const { config, domains, store, stack, driver, random, secret } = options;
  const { clock } = driver;
  const authentication = config.auth.enabled ? makeAuthentication(options) : undefined;
  const directory = new AccountDirectory({
    ...{ domains, aliases: config.aliases, locations: store.locations },
    accounts: config.accounts === "database" ? store.accounts : undefined,
    flowById: (id) => stack.flowById(id),
    ...(config.listeners.filter(({ transport }) => transport === "udp").length < 2
      ? {}
      : { listenerOf: (flowId: string) => stack.flowById(flowId)?.listener }),
  });
  const registrar = new Registrar({
    ...{ clock, locations: store.locations },
    isOurDomain: (host) => domains.isOurHost(host),
    ...(authentication === undefined
      ? {}
      : { authentication: { ...authentication, realm: (host: string) => domains.canonical(host) } }),
    // A password for the realm of one domain is good for that domain only.
    authorize: (user, to) => user === undefined || directory.owns(user, to),
    addressOfRecord: directory.addressOfRecord,
    minExpires: config.registrar.minExpires,
    defaultExpires: config.registrar.defaultExpires,
    maxExpires: config.registrar.maxExpires,
    unsupportedPath: config.registrar.unsupportedPath,
    rfc2543: config.compat.rfc2543,
  });
  const proxy = new ProxyServer({
    ...{ stack, clock, random, isOurs: domains.isOurs, secret: secret.subarray(0, 16) },
    route: directory.route,
    admit: makeAdmission({
      ...{ domains, authentication, owns: directory.owns },
      inbound: config.relay.inbound ?? (sipHosts(config).every(isLoopback) ? "allow" : "peers"),
      peers: config.relay.peers,
    }),
    // Without passwords no realm is ours.
    isOurRealm: (realm) => authentication !== undefined && domains.isOurHost(realm),
    listeners: () => driver.listeners.map(({ listener }) => listener),
    ...config.proxy,
  });
  const answerOwn = makeOwnAnswers(["REGISTER"]);
  stack.roles = {
    ...proxy.roles,
    borrowRequests: true,
    methods: new Map([["REGISTER", registrar.handle]]),
    route: (incoming) => (answerOwn(incoming) ? undefined : proxy.route(incoming)),
  };
  return proxy;
}

/** Who asks for passwords, and what they are. */
function makeAuthentication(options: RolesOptions): { challenger: ThrottledChallenger; ha1: Ha1Lookup } {
  const { config, domains, store, driver, random, metrics, log } = options;
  const { auth, accounts, limits } = config;
  const { clock } = driver;
  const challenger = new ThrottledChallenger({
    ...{ clock, random, hash: nodeHash },
    algorithms: auth.algorithms,
    nonceLifetime: auth.nonceLifetime,
    acceptsUri: domains.isOurs,
    throttle: new PasswordThrottle(clock, limits.failedAuthPerSource),
    onFailed: (user, address) => {
      metrics.authFailed();
      log.info({ user, address }, "wrong password");
    },
    onBlocked: () => metrics.authThrottled(),
  });
  if (typeof accounts === "string") return { challenger, ha1: store.accounts.ha1 };
  const { password } = accounts.any;
  return {
    challenger,
    ha1: (user, realm, algorithm) => computeHa1(nodeHash, algorithm, { user, realm, password }),
  };
}
