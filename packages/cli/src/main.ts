// The `offhook` command: one file per subcommand in commands/. Mistakes are one line and an exit code, never a stack.

import * as module from "node:module";
import { Command, CommanderError } from "commander";
import { CliError } from "./cli-error.ts";

// The next start need neither strip types nor parse. It is faster afterwards, too: stripping lets go of a buffer, and V8
// looks at every array in every loop once it has seen that this can be. Node 20 has no such cache.
(module as Partial<Pick<typeof module, "enableCompileCache">>).enableCompileCache?.();

/** Loaded only when wanted: `offhook code` need not wait for a server's parts. In the order of the help. */
const commands: Record<string, () => Promise<Command>> = {
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  user: async () => (await import("./commands/user.ts")).userCommand(),
  registrations: async () => (await import("./commands/registrations.ts")).registrationsCommand(),
  calls: async () => (await import("./commands/calls.ts")).callsCommand(),
  trace: async () => (await import("./commands/trace.ts")).traceCommand(),
  maintenance: async () => (await import("./commands/maintenance.ts")).maintenanceCommand(),
  call: async () => (await import("./commands/call.ts")).callCommand(),
  answer: async () => (await import("./commands/answer.ts")).answerCommand(),
  register: async () => (await import("./commands/register.ts")).registerCommand(),
  options: async () => (await import("./commands/options.ts")).optionsCommand(),
  code: async () => (await import("./commands/code.ts")).codeCommand(),
  tour: async () => (await import("./commands/tour.ts")).tourCommand(),
};

const program = new Command("offhook")
  .description(
    "SIP: a server that starts with one command, a test phone, and the reference of response codes",
  )
  .showHelpAfterError("(offhook --help lists what there is)")
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "offhook: ")) })
  .exitOverride();

// Whoever read us has gone, as in `offhook code --json | head`: end as by a signal, calls and registrations too.
let hasReader = true;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (hasReader && process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
  else if (hasReader) process.exit(141);
  hasReader = false;
});

try {
  const wanted = process.argv[2] ?? "";
  const load = commands[wanted];
  const loaded = load === undefined ? Object.values(commands).map((one) => one()) : [load()];
  for (const command of await Promise.all(loaded)) program.addCommand(inherit(command, program));
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** Settings of the program for a command and those below it. */
function inherit(command: Command, from: Command): Command {
  command.copyInheritedSettings(from);
  for (const below of command.commands) inherit(below, command);
  return command;
}

/** Says what went wrong in one line; gives the exit code: 2 for a wrong command line or file, 1 for the rest. */
function report(error: unknown): number {
  // Commander has said it already; what a command reports through it keeps its own code.
  if (error instanceof CommanderError) {
    return error.exitCode === 0 || error.code === "commander.error" ? error.exitCode : 2;
  }
  const { code, message, stack } =
    error instanceof Error
      ? (error as NodeJS.ErrnoException)
      : { code: "", message: String(error), stack: "" };
  console.error(`offhook: ${message}`);
  if (error instanceof CliError) return error.exitCode;
  if (code === "OFFHOOK_CONFIG") return 2;
  // Whoever reports a bug can say where it is.
  if (process.env["OFFHOOK_DEBUG"] !== undefined) console.error(stack);
  return 1;
}
