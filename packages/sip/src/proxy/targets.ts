// The target set: where a request shall go, in which order. RFC 3261 §16.5 and §16.6, RFC 3327 §5.4, RFC 5626 §5.1.

import { equalUri, isSipUri, parseUri, type Uri } from "../message/index.ts";
import type { Flow, Listener, Target } from "../transport/flow.ts";

/** One place to send a copy of a request to. */
export interface ProxyTarget {
  /** The Request-URI of the copy. */
  readonly uri: string | Uri;
  /** `uri` as a value, if that was read already. */
  readonly read?: Uri | undefined;
  /** 0 to 1, as in Contact; used by the order "by q". Default 1. */
  readonly q?: number | undefined;
  /** Pushed on top of Route, as URIs in angle brackets: the Path of a registration (RFC 3327 §5.4), or local policy. */
  readonly path?: readonly string[] | undefined;
  /** Send over this flow and no other: the one that registered (RFC 5626 §5.3). */
  readonly flow?: Flow | undefined;
  /** Send there instead of locating the URI: the address that a registration over UDP came from. */
  readonly addresses?: readonly Target[] | undefined;
  /** Leave by this listener, if it can reach the target. Default: the one that fits best. */
  readonly listener?: Listener | undefined;
  /** Milliseconds after which this branch of an INVITE is cancelled; default: until timer C. */
  readonly ringTime?: number;
  /** Tried in its place if it cannot be reached: another flow of the same instance (RFC 5626 §5.3). */
  readonly otherwise?: ProxyTarget | undefined;
  /** How many redirections led here; 0 for targets of the route program. */
  readonly generation?: number;
}

/**
 * "parallel": at once, beside whatever is being tried. "in order": one after the other. "by q": equal q in
 * parallel, lower q after the higher ones have failed (§16.6). The last two wait for what was added before.
 */
export type TargetOrder = "parallel" | "in order" | "by q";

/** The targets that wait, in groups; a group is tried in parallel, the next one when it has failed. */
export class TargetSet {
  /** The group being worked off: it may have to wait for breadth (RFC 5393 §5.3.3). */
  readonly #ready: ProxyTarget[] = [];
  readonly #groups: ProxyTarget[][] = [];
  readonly #seen: (string | Uri)[] = [];

  /** Targets of the current group that were not started. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** All targets that were not started. */
  get waitingCount(): number {
    let count = this.#ready.length;
    for (const group of this.#groups) count += group.length;
    return count;
  }

  /** Adds what was never in the set (§16.5: a URI enters once); returns how many those were. */
  add(targets: readonly ProxyTarget[], order: TargetOrder): number {
    const fresh = targets.filter((target) => this.#isNew(target));
    if (order === "parallel") {
      this.#ready.push(...fresh);
    } else if (order === "in order") {
      for (const target of fresh) this.#groups.push([target]);
    } else {
      this.#groups.push(...groupsByQ(fresh));
    }
    return fresh.length;
  }

  /** True if the URI was added before, whether or not it was tried yet. */
  has(uri: string | Uri): boolean {
    return this.#seen.some((known) => sameUri(known, uri));
  }

  /** Takes the next target of the current group. */
  take(): ProxyTarget | undefined {
    return this.#ready.shift();
  }

  /** Makes the next group current; false if there is none. Call it when the current one has failed. */
  openGroup(): boolean {
    const group = this.#groups.shift();
    if (group === undefined) return false;
    this.#ready.push(...group);
    return true;
  }

  /** Forgets what waits; what was seen stays seen. */
  clear(): void {
    this.#ready.length = 0;
    this.#groups.length = 0;
  }

  /** Counts a URI as seen without adding it. */
  note(uri: string | Uri): void {
    if (!this.has(uri)) this.#seen.push(uri);
  }

  #isNew(target: ProxyTarget): boolean {
    if (this.has(target.uri)) return false;
    this.#seen.push(target.uri);
    return true;
  }
}

function groupsByQ(targets: readonly ProxyTarget[]): ProxyTarget[][] {
  const byQ = new Map<number, ProxyTarget[]>();
  for (const target of targets) {
    const q = target.q ?? 1;
    const group = byQ.get(q);
    if (group === undefined) byQ.set(q, [target]);
    else group.push(target);
  }
  return [...byQ].sort((a, b) => b[0] - a[0]).map(([, group]) => group);
}

/** Equal by the rules of the scheme (§19.1.4); a text that is no URI equals only itself. */
function sameUri(a: string | Uri, b: string | Uri): boolean {
  if (a === b) return true;
  try {
    return equalUri(typeof a === "string" ? parseUri(a) : a, typeof b === "string" ? parseUri(b) : b);
  } catch {
    return false;
  }
}

/** What the proxy reads of a binding (`Binding` of registrar/ has it all). */
export interface RegisteredContact {
  readonly contact: string;
  readonly q: number;
  readonly path: readonly string[];
  readonly flowId?: string | undefined;
  readonly received?: Target | undefined;
  readonly instanceId?: string | undefined;
  readonly regId?: number | undefined;
  readonly updatedAt: number;
}

/**
 * The targets that bindings stand for. With a Path: through it. Over a connection: that connection while it lives,
 * else left out, since nothing can be opened towards a browser or a phone behind NAT. Over UDP: the contact, unless
 * only the way that the REGISTER came can reach it. Of several flows of one instance the newest is taken and the
 * next kept for when it fails (RFC 5626 §5.3).
 * @param isOurs - a contact that names this server itself leads to its device over its flow or not at all: a few
 *   such contacts, all of one user, would keep us forking to ourselves for ever (RFC 5393 §3)
 * @param listenerOf - the listener that a REGISTER over UDP came by, from its flow's id: what goes to that contact
 *   leaves by the same one. Needed only where there are several.
 */
export function targetsOf(
  bindings: readonly RegisteredContact[],
  flowById: (id: string) => Flow | undefined,
  isOurs: (uri: Uri) => boolean = () => false,
  listenerOf: (flowId: string) => Listener | undefined = () => undefined,
): ProxyTarget[] {
  const targets: ProxyTarget[] = [];
  let instances: Map<string, RegisteredContact[]> | undefined;
  for (const binding of bindings) {
    if (binding.instanceId !== undefined && binding.regId !== undefined && bindings.length > 1) {
      instances ??= new Map();
      const flows = instances.get(binding.instanceId);
      if (flows === undefined) instances.set(binding.instanceId, [binding]);
      else flows.push(binding);
      continue;
    }
    const target = targetOf(binding, flowById, isOurs, listenerOf);
    if (target !== undefined) targets.push(target);
  }
  if (instances === undefined) return targets;
  for (const flows of instances.values()) {
    flows.sort((a, b) => a.updatedAt - b.updatedAt);
    let chain: ProxyTarget | undefined;
    for (const binding of flows) {
      const target = targetOf(binding, flowById, isOurs, listenerOf);
      if (target !== undefined) chain = chain === undefined ? target : { ...target, otherwise: chain };
    }
    if (chain !== undefined) targets.push(chain);
  }
  return targets;
}

function targetOf(
  binding: RegisteredContact,
  flowById: (id: string) => Flow | undefined,
  isOurs: (uri: Uri) => boolean,
  listenerOf: (flowId: string) => Listener | undefined,
): ProxyTarget | undefined {
  const { path, flowId, received } = binding;
  const read = readContact(binding.contact);
  const leadsHere = read !== undefined && isOurs(read);
  if (path.length > 0 || received === undefined || flowId === undefined)
    return leadsHere ? undefined : targetBy(binding, read);
  const isReliable = received.transport !== "UDP";
  if (
    !isReliable &&
    !leadsHere &&
    binding.regId === undefined &&
    read !== undefined &&
    isReachableUri(read, received.address)
  ) {
    return targetBy(binding, read, undefined, undefined, listenerOf(flowId));
  }
  const flow = flowById(flowId);
  if (flow !== undefined && flow.state !== "closed") return targetBy(binding, read, flow);
  return isReliable ? undefined : targetBy(binding, read, undefined, [received]);
}

/** All of one shape. */
function targetBy(
  { contact, q, path }: RegisteredContact,
  read: Uri | undefined,
  flow?: Flow,
  addresses?: readonly Target[],
  listener?: Listener,
): ProxyTarget {
  return { uri: contact, read, q, path: path.length > 0 ? path : undefined, flow, addresses, listener };
}

/** The URI of a contact; undefined if it cannot be read. */
function readContact(contact: string): Uri | undefined {
  try {
    return parseUri(contact);
  } catch {
    return undefined;
  }
}

/**
 * Whether a contact registered over UDP can be sent to as written. Not if it names a private address other than
 * the one the REGISTER came from: then a NAT stands between, and its mapping is the only way in.
 */
export function isReachable(contact: string, source: string): boolean {
  if (namesHost(contact, source)) return true;
  const uri = readContact(contact);
  return uri !== undefined && isReachableUri(uri, source);
}

function isReachableUri(uri: Uri, source: string): boolean {
  return !isSipUri(uri) || uri.host === source || !isPrivateHost(uri.host);
}

/** By a look at the text, which nearly always will do: the whole address, between "@" or ":" and what may follow it. */
function namesHost(contact: string, address: string): boolean {
  const at = contact.lastIndexOf(address);
  if (at < 1) return false;
  const before = contact[at - 1];
  const after = contact[at + address.length];
  return (
    (before === "@" || before === ":" || before === "[") &&
    (after === undefined || !/[0-9a-z.@]/i.test(after))
  );
}

// RFC 1918, 6598, 3927, 1122 (this host, loopback); RFC 4193, 4291; RFC 2606 and 7118 §5.4 ("something.invalid").
const privateHost =
  /^(?:10\.|127\.|0\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1$)|\.(?:invalid|local)$/;

function isPrivateHost(host: string): boolean {
  return privateHost.test(host);
}
