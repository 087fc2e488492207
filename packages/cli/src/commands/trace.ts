// `offhook trace <call>`: the messages of a call as a ladder, and why it failed in words.

import { reasonPhrase, treatedAs } from "@offhook/sip/responses";
import { en } from "@offhook/sip/responses/text/en";
import { Command } from "commander";
import { withAdministration } from "../administration.ts";
import { printLadder } from "../ladder.ts";
import { clean } from "../text-table.ts";

export function traceCommand(): Command {
  return new Command("trace")
    .description("the messages of a call, drawn as a ladder; secrets are left out")
    .argument("<call>", "an id from `offhook calls`, a Call-ID or its beginning, or `last`")
    .option("-c, --config <file>", "the server's configuration; default as for serve")
    .option("--full", "with every message in full")
    .option("--json", "as JSON")
    .action(async (call: string, options: { config?: string; full?: boolean; json?: boolean }) => {
      const ladder = await withAdministration(options, (admin) => admin.trace(call));
      if (options.json) {
        console.log(JSON.stringify(ladder, undefined, 2));
        return;
      }
      console.log(`Call-ID ${ladder.callId}\n\n${printLadder(ladder, { full: options.full === true })}`);
      const why = reason(ladder.messages);
      if (why !== undefined) console.log(`\n${why}`);
    });
}

/** What the last refusal of the call means, from the catalogue. */
function reason(messages: readonly { summary: string; cSeq: string; from: string }[]): string | undefined {
  const refusal = messages.findLast(
    ({ summary, cSeq, from }) => from === "server" && cSeq.endsWith("INVITE") && /^[3-6]\d\d /.test(summary),
  );
  const code = Number(refusal?.summary.slice(0, 3));
  if (refusal === undefined || code === 401 || code === 407) return undefined;
  const known = treatedAs(code);
  // §8.1.3.2.
  const note = known === code ? "" : `not registered, treated as ${known} ${reasonPhrase(known)}. `;
  return `${clean(refusal.summary)}: ${note}${en[known].meaning}`;
}
