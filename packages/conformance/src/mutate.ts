// Proof that the proof works: each scenario once more with the product changed where the code is sent, and once more with
// the receiver's reaction taken away. It has to notice both, by a named assertion.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MutantReport } from "./mutant-main.ts";
import type { Mutant, Scenario } from "./scenario.ts";

/** How one mutant fared. */
export interface Verdict {
  readonly code: number;
  readonly part: "producer" | "reaction";
  readonly mutant: Mutant;
  readonly isKilled: boolean;
  /** The name of the assertion that killed it; else why it does not count as killed. */
  readonly reason: string;
}

const root = new URL("../../../", import.meta.url);

/** Mutants are made from the sources: published packages have none. */
export function canMutate(): boolean {
  return import.meta.url.endsWith(".ts") && existsSync(new URL("packages/sip/src/", root));
}

/** Real milliseconds that the process of one mutant may take. */
const limit = 60_000;

/** Runs both mutants of each scenario, `parallel` at a time, and tells of each as soon as it is known. */
export async function mutate(
  stories: readonly Scenario[],
  tell: (verdict: Verdict) => void,
  parallel = 2,
): Promise<void> {
  const waiting = stories.flatMap((story) =>
    (["producer", "reaction"] as const).map((part) => ({
      code: story.code,
      part,
      mutant: story.mutants[part],
    })),
  );
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { code, part, mutant } = next;
      tell({ ...next, ...judge(await run(code, part, mutant), part) });
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** Killed only by a named assertion of its own part, while every near miss still passes. */
export function judge(
  report: MutantReport | string,
  part: Verdict["part"],
): Pick<Verdict, "isKilled" | "reason"> {
  const survived = (reason: string) => ({ isKilled: false, reason });
  if (typeof report === "string") return survived(report);
  if (!report.isApplied) return survived("its file was not loaded, or its text is not there");
  const failed = report.performances.filter(({ failure }) => failure !== undefined);
  const nearMiss = failed.find((one) => one.part === "nearMiss");
  if (nearMiss !== undefined)
    return survived(`the near miss fails too${titled(nearMiss.title)}: ${nearMiss.failure?.check}`);
  const own = failed.filter((one) => one.part === part);
  const killer = own.find(({ failure }) => failure?.kind === "assertion");
  if (killer !== undefined) return { isKilled: true, reason: killer.failure?.check ?? "" };
  const other = own[0]?.failure;
  return survived(other === undefined ? "nothing has noticed it" : `only by a ${other.kind}: ${other.check}`);
}

function titled(title: string): string {
  return title === "" ? "" : ` (${title})`;
}

/** What the process of the mutant printed; in words if it printed nothing of use. */
async function run(code: number, part: Verdict["part"], mutant: Mutant): Promise<MutantReport | string> {
  const { file, find, replace } = mutant;
  const here = (name: string) => new URL(name, import.meta.url);
  const child = spawn(
    process.execPath,
    [
      "--conditions=@offhook/source",
      `--import=${here("./mutant-hook.ts").href}`,
      ...[fileURLToPath(here("./mutant-main.ts")), String(code), part],
    ],
    {
      cwd: fileURLToPath(root),
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: join(tmpdir(), "offhook-mutants"),
        OFFHOOK_MUTANT: JSON.stringify({ url: new URL(file, root).href, find, replace }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => err.push(text));
  const timer = setTimeout(() => child.kill("SIGKILL"), limit);
  const status = await new Promise<number | string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (exit, signal) => resolve(exit ?? signal ?? ""));
  });
  clearTimeout(timer);
  try {
    return JSON.parse(out.join("")) as MutantReport;
  } catch {
    return `its process ended with ${status}: ${err.join("").trim().split("\n").slice(0, 6).join(" / ")}`;
  }
}
