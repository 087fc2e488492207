// What a stack remembers of next hops for a while: who asked to be left alone (§21.5.4), who did not answer
// (RFC 3263 §4.3), and where TCP was refused (§18.1.1). Bounded; forgetting only costs a try.

import type { Target } from "./transport/index.ts";

/** How long a refused TCP connection is held against a host, ms. */
const tcpRefusalTime = 300_000;
/** No server can ask to be spared for longer than this, ms. */
const longestRest = 3_600_000;
/** How long a target that failed comes last, ms: doubled with each failure after that. */
const firstBackOff = 32_000;
const longestBackOff = 600_000;
const capacity = 1024;

interface Failed {
  /** When it may be first again. */
  until: number;
  /** In a row. */
  failures: number;
  readonly at: number;
}

export class TargetMemory {
  /** address, port and transport → when it may be used again. */
  readonly #resting = new Map<string, number>();
  /** address and port → when to try TCP again. */
  readonly #withoutTcp = new Map<string, number>();
  /** Address, port and transport, the one that failed longest ago first. */
  readonly #failed = new Map<string, Failed>();

  /** §21.5.4: a 503 with Retry-After. */
  rest(target: Target, seconds: number, now: number): void {
    remember(this.#resting, keyOf(target), now + Math.min(seconds * 1000, longestRest));
  }

  /**
   * RFC 3263 §4.3: no answer, or no way there. Of those who were trying at the same time only the first counts,
   * hence `triedAt`.
   */
  failed(target: Target, triedAt: number, now: number): void {
    const key = keyOf(target);
    const before = this.#failed.get(key);
    if (before !== undefined && triedAt < before.at) return;
    const isRecent = before !== undefined && before.until + longestBackOff > now;
    const failures = isRecent ? before.failures + 1 : 1;
    const backOff = Math.min(firstBackOff * 2 ** (failures - 1), longestBackOff);
    remember(this.#failed, key, { until: now + backOff, failures, at: now });
  }

  /** It is there after all. */
  answered(target: Target): void {
    if (this.#failed.size > 0) this.#failed.delete(keyOf(target));
  }

  /** A target whose time is over is tried by one request; the others wait for how that ends. */
  trying(target: Target, now: number): void {
    if (this.#failed.size === 0) return;
    const failed = this.#failed.get(keyOf(target));
    if (failed !== undefined) failed.until = Math.max(failed.until, now + firstBackOff);
  }

  refusedTcp(target: Target, now: number): void {
    remember(this.#withoutTcp, `${target.address} ${target.port}`, now + tcpRefusalTime);
  }

  isWithoutTcp(target: Target, now: number): boolean {
    return this.#withoutTcp.size > 0 && lasts(this.#withoutTcp, `${target.address} ${target.port}`, now);
  }

  /** Those that neither rest nor failed first; the others stay as a last resort, each part in its order. */
  inOrder(targets: readonly Target[], now: number): readonly Target[] {
    if ((this.#resting.size === 0 && this.#failed.size === 0) || targets.length < 2) return targets;
    const ready: Target[] = [];
    const last: Target[] = [];
    for (const target of targets) {
      const key = keyOf(target);
      const isLast = lasts(this.#resting, key, now) || (this.#failed.get(key)?.until ?? 0) > now;
      (isLast ? last : ready).push(target);
    }
    return last.length === 0 ? targets : [...ready, ...last];
  }
}

function keyOf(target: Target): string {
  return `${target.transport} ${target.address} ${target.port}`;
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > capacity) {
    const [oldest] = map.keys();
    map.delete(oldest!);
  }
}

function lasts(map: Map<string, number>, key: string, now: number): boolean {
  const until = map.get(key);
  if (until === undefined) return false;
  if (until > now) return true;
  map.delete(key);
  return false;
}
