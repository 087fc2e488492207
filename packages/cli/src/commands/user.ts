// `offhook user …`: the people who may register and call.

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { AccountError } from "@offhook/server";
import { Command } from "commander";
import { withAdministration } from "../administration.ts";
import { CliError } from "../cli-error.ts";
import { readPassword } from "../prompt.ts";
import { printTable, printTime } from "../text-table.ts";

interface Options {
  readonly config?: string;
  readonly password?: string;
  readonly name?: string;
  readonly json?: boolean;
}

export function userCommand(): Command {
  const user = new Command("user").description("users of the server: add, list, remove, import, password");
  const configOption = ["-c, --config <file>", "the server's configuration; default as for serve"] as const;
  user
    .command("add")
    .description("make a user; the password comes from --password, OFFHOOK_PASSWORD or a question")
    .argument("<user>", "alice, or alice@example.com")
    .option(...configOption)
    .option("-p, --password <password>", "visible in process listings; the other two ways are not")
    .option("-n, --name <display name>", "name that people read")
    .action(async (name: string, options: Options) => {
      const password = await readPassword(options.password, `Password for ${name}: `);
      const made = await withAdministration(options, (admin) =>
        admin.addUser({ name, password, displayName: options.name }),
      );
      console.log(`added ${made.user}@${made.domain}`);
    });
  user
    .command("list")
    .description("all users")
    .option(...configOption)
    .option("--json", "as JSON")
    .action(async (options: Options) => {
      const users = await withAdministration(options, (admin) => admin.users());
      if (options.json) console.log(JSON.stringify(users, undefined, 2));
      else if (users.length === 0) console.log("no users yet; `offhook user add NAME` makes one");
      else {
        const rows = users.map((one) => [
          ...[
            one.user,
            one.domain,
            one.displayName ?? "",
            one.enabled ? "yes" : "no",
            printTime(one.createdAt),
          ],
        ]);
        console.log(printTable(["user", "domain", "name", "enabled", "since"], rows));
      }
    });
  user
    .command("password")
    .description("give a user another password")
    .argument("<user>")
    .option(...configOption)
    .option(
      "-p, --password <password>",
      "visible in process listings; OFFHOOK_PASSWORD or the question are not",
    )
    .action(async (name: string, options: Options) => {
      const password = await readPassword(options.password, `New password for ${name}: `);
      await withAdministration(options, (admin) => admin.setPassword(name, password));
      console.log(`${name} has a new password`);
    });
  user
    .command("remove")
    .description("remove a user, and end what is registered")
    .argument("<user>")
    .option(...configOption)
    .action(async (name: string, options: Options) => {
      await withAdministration(options, (admin) => admin.removeUser(name));
      console.log(`removed ${name}`);
    });
  user
    .command("import")
    .description("users from lines of user,password[,display name]; all of them, or none if a line is wrong")
    .argument("<file.csv>", "- reads standard input")
    .option(...configOption)
    .action(async (file: string, options: Options) => {
      const lines = await readText(file);
      try {
        const { added, updated } = await withAdministration(options, (admin) => admin.importUsers(lines));
        console.log(`${added} added, ${updated} updated`);
      } catch (error) {
        if (!(error instanceof AccountError) || error.problems.length === 0) throw error;
        const said = error.problems
          .slice(0, 10)
          .map((problem) => `${file}:${problem.line}: ${problem.message}`);
        const more = error.problems.length - said.length;
        throw new CliError(
          [...said, ...(more > 0 ? [`… and ${more} lines more`] : []), "nothing was imported"].join("\n"),
        );
      }
    });
  return user;
}

/** Standard input as a stream: a pipe may be non-blocking, and have nothing to read yet. */
async function readText(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    throw new CliError(
      `${file}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (error as Error).message}`,
    );
  }
}
