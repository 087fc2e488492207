// Passwords: from an option, the environment, or typed without being shown.

import { CliError } from "./cli-error.ts";

/** The environment variable that keeps a password out of process listings and shell histories. */
export const passwordVariable = "OFFHOOK_PASSWORD";

/** `option`, else the environment, else a question at the terminal. */
export async function readPassword(option: string | undefined, question: string): Promise<string> {
  const given = option ?? process.env[passwordVariable];
  if (given !== undefined && given !== "") return given;
  if (!process.stdin.isTTY) throw new CliError(`no password: give --password, or set ${passwordVariable}`);
  return askHidden(question);
}

function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve, reject) => {
    let typed = "";
    stderr.write(question);
    stdin.setRawMode(true);
    stdin.setEncoding("utf8");
    const end = () => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off("data", take);
      stderr.write("\n");
    };
    const take = (text: string) => {
      for (const c of text) {
        if (c === "\r" || c === "\n") {
          end();
          resolve(typed);
          return;
        }
        if (c === "\u0003" || c === "\u0004") {
          end();
          reject(new CliError("given up", 130));
          return;
        }
        typed = c === "\u007f" || c === "\b" ? typed.slice(0, -1) : typed + c;
      }
    };
    stdin.on("data", take);
    stdin.resume();
  });
}
