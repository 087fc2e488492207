// `offhook calls`: calls that go on and calls that were, latest first.

import type { ListedCall } from "@offhook/server";
import { factsOf } from "@offhook/sip/responses";
import { Command, InvalidArgumentError } from "commander";
import { withAdministration } from "../administration.ts";
import { printSpan, printTable, printTime } from "../text-table.ts";

export function callsCommand(): Command {
  return new Command("calls")
    .description("calls, latest first; `offhook trace` shows one in full")
    .option("-c, --config <file>", "the server's configuration; default as for serve")
    .option("-n, --limit <count>", "how many", positive, 20)
    .option("--json", "as JSON")
    .action(async (options: { config?: string; limit: number; json?: boolean }) => {
      const calls = await withAdministration(options, (admin) => admin.calls(options.limit));
      if (options.json) console.log(JSON.stringify(calls, undefined, 2));
      else if (calls.length === 0) console.log("no calls yet");
      else {
        const rows = calls.map((call) => [
          ...[printTime(call.startedAt), name(call.caller), name(call.callee), outcome(call)],
          call.isTraced ? call.id : `${call.id} (no trace)`,
        ]);
        console.log(printTable(["started", "caller", "callee", "outcome", "call"], rows));
      }
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new InvalidArgumentError("a number from 1 to 100000");
  return value;
}

function name(address: string): string {
  return address.replace(/^sips?:/, "");
}

function outcome(call: ListedCall): string {
  switch (call.state) {
    case "answered":
      return `talking for ${printSpan(Date.now() - (call.answeredAt ?? call.startedAt))}`;
    case "ended":
      return `talked ${printSpan((call.endedAt ?? call.startedAt) - (call.answeredAt ?? call.startedAt))}`;
    case "failed":
      return call.status === 487 ? "given up" : `${call.status} ${factsOf(call.status)?.phrase ?? ""}`.trim();
    default:
      return call.state;
  }
}
