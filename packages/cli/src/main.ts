// The `offhook` command: one file per subcommand in commands/. Mistakes are one line and an exit code, never a stack.

import { Command, CommanderError } from "commander";
import { CliError } from "./cli-error.ts";
import { codeCommand } from "./commands/code.ts";

const program = new Command("offhook")
  .description(
    "SIP: a server that starts with one command, a test phone, and the reference of response codes",
  )
  .showHelpAfterError("(offhook --help lists what there is)")
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "offhook: ")) })
  .exitOverride();

for (const command of [codeCommand()]) {
  program.addCommand(command.copyInheritedSettings(program));
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong in one line; gives the exit code: 2 for a wrong command line or file, 1 for the rest. */
function report(error: unknown): number {
  // Commander has said it already; what a command reports through it keeps its own code.
  if (error instanceof CommanderError)
    return error.exitCode === 0 || error.code === "commander.error" ? error.exitCode : 2;
  const message = error instanceof Error ? error.message : String(error);
  console.error(`offhook: ${message}`);
  if (error instanceof CliError) return error.exitCode;
  // Ours to mend, so whoever reports it can say where.
  if (process.env["OFFHOOK_DEBUG"] !== undefined && error instanceof Error) console.error(error.stack);
  return 1;
}
