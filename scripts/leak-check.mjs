// Preloaded into every test process: a last hook that fails by name what was left open (socket, timer, child process).
// Without it one leaked socket would hang the run after a green summary, or be hidden by --test-force-exit.

import { after } from "node:test";
import { openSockets } from "@offhook/udp-batch";

// Pipes and terminals are our own stdio; file and DNS requests end by themselves; CloseReq is a close under way.
const harmless = new Set(["PipeWrap", "TTYWrap", "CloseReq", "FSReqPromise", "FSReqCallback", "Immediate"]);

after(async () => {
  let left = open();
  // Counted in looks: a machine that stands still meanwhile has ended nothing.
  for (let looks = 0; left.length > 0 && looks < 50; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    left = open();
  }
  if (left.length === 0) return;
  // What is left would keep the process alive for ever: let the report out, then end.
  setTimeout(() => process.exit(1), 1000).unref();
  throw new Error(`left open after the last test: ${left.join(", ")}`);
});

function open() {
  const sockets = Array.from({ length: openSockets() }, () => "BatchSocket");
  return [...process.getActiveResourcesInfo().filter((name) => !harmless.has(name)), ...sockets];
}
