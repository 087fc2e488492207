// What a stack remembers of next hops for a while: who asked to be left alone (§21.5.4), and where TCP was
// refused (§18.1.1). Bounded; forgetting only costs a try.

import type { Target } from "./transport/index.ts";

/** How long a refused TCP connection is held against a host, ms. */
const tcpRefusalTime = 300_000;
/** No server can ask to be spared for longer than this, ms. */
const longestRest = 3_600_000;
const capacity = 1024;

export class TargetMemory {
  /** address, port and transport → when it may be used again. */
  readonly #resting = new Map<string, number>();
  /** address and port → when to try TCP again. */
  readonly #withoutTcp = new Map<string, number>();

  /** §21.5.4: a 503 with Retry-After. */
  rest(target: Target, seconds: number, now: number): void {
    remember(this.#resting, keyOf(target), now + Math.min(seconds * 1000, longestRest));
  }

  refusedTcp(target: Target, now: number): void {
    remember(this.#withoutTcp, `${target.address} ${target.port}`, now + tcpRefusalTime);
  }

  isWithoutTcp(target: Target, now: number): boolean {
    return this.#withoutTcp.size > 0 && lasts(this.#withoutTcp, `${target.address} ${target.port}`, now);
  }

  /** Those that do not rest first; the others stay as a last resort, each part in its order. */
  inOrder(targets: readonly Target[], now: number): readonly Target[] {
    if (this.#resting.size === 0 || targets.length < 2) return targets;
    const ready: Target[] = [];
    const resting: Target[] = [];
    for (const target of targets) (lasts(this.#resting, keyOf(target), now) ? resting : ready).push(target);
    return resting.length === 0 ? targets : [...ready, ...resting];
  }
}

function keyOf(target: Target): string {
  return `${target.transport} ${target.address} ${target.port}`;
}

function remember(map: Map<string, number>, key: string, until: number): void {
  map.delete(key);
  map.set(key, until);
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
