// `offhook registrations`: who can be reached where.

import { Command } from "commander";
import { withAdministration } from "../administration.ts";
import { printSpan, printTable } from "../text-table.ts";

export function registrationsCommand(): Command {
  return new Command("registrations")
    .description("phones that are registered now")
    .argument("[user]", "only this user's")
    .option("-c, --config <file>", "the server's configuration; default as for serve")
    .option("--json", "as JSON")
    .action(async (user: string | undefined, options: { config?: string; json?: boolean }) => {
      const all = await withAdministration(options, (admin) => admin.registrations());
      const bindings = all.filter(
        ({ aor }) => user === undefined || aor === `sip:${user}` || aor.startsWith(`sip:${user}@`),
      );
      if (options.json) {
        console.log(JSON.stringify(bindings, undefined, 2));
        return;
      }
      if (bindings.length === 0) {
        console.log(user === undefined ? "nobody is registered" : `${user} is not registered`);
        return;
      }
      const now = Date.now();
      const rows = bindings.map(({ aor, contact, expiresAt, received, userAgent }) => [
        aor.replace(/^sips?:/, ""),
        contact,
        received === undefined
          ? ""
          : `${received.transport.toLowerCase()} ${received.address}:${received.port}`,
        printSpan(expiresAt - now),
        userAgent ?? "",
      ]);
      console.log(printTable(["user", "contact", "from", "for", "phone"], rows));
    });
}
