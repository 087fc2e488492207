// Prints docs/state-machines.md from the tables of packages/sip/src/transaction. Run it after changing a table:
//   node_modules/.bin/node --conditions=@offhook/source scripts/print-state-machines.ts
// test/state-machines.test.ts fails while the page is stale.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  durationsOf,
  inviteClientTable,
  inviteServerTable,
  nonInviteClientTable,
  nonInviteServerTable,
} from "@offhook/sip/transaction";

type AnyTable = Readonly<Record<string, Readonly<Record<string, readonly string[] | undefined>>>>;

const machines: readonly { title: string; source: string; file: string; note: string; table: AnyTable }[] = [
  {
    title: "INVITE client",
    source: "RFC 3261 §17.1.1 (Figure 5), Accepted from RFC 6026 §8.4",
    file: "invite-client.ts",
    note: "A CANCEL is a transaction of its own; here it only starts the wait of §9.1 for the INVITE's end.",
    table: inviteClientTable as AnyTable,
  },
  {
    title: "Non-INVITE client",
    source: "RFC 3261 §17.1.2 (Figure 6)",
    file: "non-invite-client.ts",
    note: "Repeated final responses are absorbed in completed.",
    table: nonInviteClientTable as AnyTable,
  },
  {
    title: "INVITE server",
    source: "RFC 3261 §17.2.1, redrawn in RFC 6026 §8.6 (Figure 7)",
    file: "invite-server.ts",
    note: "A transport error never ends it, or a resent INVITE would look like a new one (RFC 6026 §7.1).",
    table: inviteServerTable as AnyTable,
  },
  {
    title: "Non-INVITE server",
    source: "RFC 3261 §17.2.2 (Figure 8), limited by RFC 4320",
    file: "non-invite-server.ts",
    note: "Its user's own 1xx and 408 have no row in any state: RFC 4320 forbids to send them.",
    table: nonInviteServerTable as AnyTable,
  },
];

const defaults = durationsOf();

const timers: readonly (readonly [name: string, duration: string, meaning: string])[] = [
  ["A", "T1, doubling", "resends an INVITE; unreliable transports only"],
  ["B", ms(defaults.T1x64, "64·T1"), "no response to an INVITE"],
  ["D", ms(defaults.D, "at least 32 s"), "absorbs repeated 300–699; none over reliable transports"],
  ["E", "T1, doubling up to T2", "resends any other request; unreliable transports only"],
  ["F", ms(defaults.T1x64, "64·T1"), "no final response to any other request"],
  ["G", "T1, doubling up to T2", "resends a 300–699; unreliable transports only"],
  ["H", ms(defaults.T1x64, "64·T1"), "no ACK for a 300–699"],
  ["I", ms(defaults.T4, "T4"), "absorbs repeated ACKs; none over reliable transports"],
  ["J", ms(defaults.T1x64, "64·T1"), "absorbs repeated requests; none over reliable transports"],
  ["K", ms(defaults.T4, "T4"), "absorbs repeated responses; none over reliable transports"],
  ["L", ms(defaults.T1x64, "64·T1"), "absorbs repeated INVITEs after a 2xx (RFC 6026)"],
  ["M", ms(defaults.T1x64, "64·T1"), "passes up more 2xx after the first (RFC 6026)"],
  ["CANCEL", ms(defaults.T1x64, "64·T1"), "a cancelled INVITE counts as over (§9.1)"],
  ["100 (INVITE)", ms(defaults.trying, ""), "its user has not answered yet (§17.2.1)"],
  ["100 (other)", ms(defaults.tryingNonInvite, "when a client's E reaches T2"), "the same (RFC 4320 §4.1)"],
  [
    "too late",
    ms(defaults.tooLate, "64·T1 after the request"),
    "no answer may be sent any more (RFC 4320 §4.2)",
  ],
];

function ms(duration: number, name: string): string {
  const text = duration < 1000 ? `${duration} ms` : `${duration / 1000} s`;
  return name === "" ? text : `${name}: ${text}`;
}

/** The whole page. */
export function printStateMachines(): string {
  const lines = [
    "# The transaction state machines",
    "",
    "<!-- Printed by scripts/print-state-machines.ts from the tables in packages/sip/src/transaction. Do not edit. -->",
    "",
    "Four machines, RFC 3261 §17, each one table in one file. A row says: in this state, when this happens, go there and",
    "do these things, in this order. What has no row is ignored. A timer that the new state has no row for stops. Durations",
    `are for T1 = ${defaults.T1} ms, T2 = ${defaults.T2 / 1000} s, T4 = ${defaults.T4 / 1000} s; a duration of zero (D, I, J, K over reliable transports)`,
    "happens at once.",
  ];
  for (const { title, source, file, note, table } of machines) {
    lines.push(
      "",
      `## ${title}`,
      "",
      `${source}. [\`${file}\`](../packages/sip/src/transaction/${file}). ${note}`,
    );
    lines.push("", ...drawing(table), "", ...rowsOf(table));
  }
  lines.push("", "## Timers", "", "| timer | how long | for what |", "|---|---|---|");
  for (const [name, duration, meaning] of timers) lines.push(`| ${name} | ${duration} | ${meaning} |`);
  return `${lines.join("\n")}\n`;
}

/** A Mermaid drawing: one arrow per pair of states, with the events that lead along it. */
function drawing(table: AnyTable): string[] {
  const lines = ["```mermaid", "stateDiagram-v2"];
  for (const [state, events] of Object.entries(table)) {
    const arrows = new Map<string, string[]>();
    for (const [event, row] of Object.entries(events)) {
      const next = row![0]!;
      if (next === state) continue;
      arrows.set(next, [...(arrows.get(next) ?? []), event]);
    }
    const from = state === "initial" ? "[*]" : state;
    for (const [next, by] of arrows) {
      lines.push(`  ${from} --> ${next === "terminated" ? "[*]" : next}: ${by.join(", ")}`);
    }
  }
  return [...lines, "```"];
}

function rowsOf(table: AnyTable): string[] {
  const lines = ["| state | event | next state | actions |", "|---|---|---|---|"];
  for (const [state, events] of Object.entries(table)) {
    for (const [event, row] of Object.entries(events)) {
      const [next, ...actions] = row!;
      const what = actions.join(", ") || (next === state ? "(absorbed)" : "");
      lines.push(`| ${state} | ${event} | ${next === state ? "–" : next} | ${what} |`);
    }
  }
  return lines;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../docs/state-machines.md", import.meta.url), printStateMachines());
}
