// A server runs the same few hundred functions for weeks. V8 waits until each has been called thousands of times before
// it optimizes it; until then a call costs a third more, and the compiling falls into the busy time.

import { setFlagsFromString } from "node:v8";

/** V8 14 has these names; another version would complain about those that it does not know. */
const version = 14;

/** Has V8 optimize after a few hundred calls of a function. For the whole process, so for programs only. */
export function optimizeEarly(): void {
  if (!process.versions.v8.startsWith(`${version}.`)) return;
  setFlagsFromString("--invocation-count-for-maglev=100");
  setFlagsFromString("--invocation-count-for-turbofan=300");
  setFlagsFromString("--minimum-invocations-after-ic-update=100");
}
