// `offhook tour [code…]`: plays the scenarios of response codes: a line per code, or the ladder of one.

import { styleText } from "node:util";
import {
  actsOf,
  canMutate,
  type Entry,
  entries,
  mutate,
  type Performance,
  type PlayOptions,
  playScenario,
  type Scenario,
  type Verdict,
} from "@offhook/conformance";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { printLadder } from "../ladder.ts";
import { wholeNumber } from "../phone.ts";
import { shorten } from "../text-width.ts";

interface TourOptions {
  readonly full?: boolean;
  readonly json?: boolean;
  readonly mutate?: boolean;
  readonly real?: boolean;
  readonly virtual?: boolean;
  readonly seeds: number;
}

export function tourCommand(): Command {
  return new Command("tour")
    .description(
      "play the scenario of every response code: who sends it and when, and what the receiver does",
    )
    .argument("[code...]", "only these; one alone prints its ladder")
    .option("--full", "with every message in full")
    .option("--json", "the recordings as JSON")
    .option("--real", "on loopback sockets only")
    .option("--virtual", "on the virtual network in bad weather only")
    .option("--seeds <number>", "how many kinds of bad weather for each play", wholeNumber(1, 1000), 2)
    .option("--mutate", "break the product where each code is sent and acted on: every scenario must notice")
    .action(async (codes: readonly string[], options: TourOptions) => {
      const wanted = select(codes);
      if (options.mutate === true) await runMutants(wanted, options);
      else if (options.json === true) await printRecordings(wanted, options);
      else if (codes.length === 1 && wanted[0] !== undefined) await printOne(wanted[0], options);
      else await playAll(wanted, options);
    });
}

/** The entries of these codes, all without any. @throws {CliError} if one is no code of the catalogue */
function select(codes: readonly string[]): readonly Entry[] {
  const all = entries();
  if (codes.length === 0) return all;
  return codes.map((text) => {
    const entry = all.find(({ code }) => String(code) === text);
    if (entry === undefined) throw new CliError(`${text} is not a SIP response code`);
    return entry;
  });
}

function playOptions({ real, virtual, seeds }: TourOptions): PlayOptions {
  const all = { seeds: Array.from({ length: seeds }, (_, index) => index + 1) };
  return real === virtual ? all : { ...all, modes: [real === true ? "real" : "weather"] };
}

/** One line of the terminal; into a file or pipe the whole text. */
function line(text: string): string {
  return process.stdout.isTTY ? shorten(text, process.stdout.columns) : text;
}

async function playAll(wanted: readonly Entry[], options: TourOptions): Promise<void> {
  const started = performance.now();
  const counts = { ok: 0, failed: 0, missing: 0 };
  for (const entry of wanted) {
    const story = await entry.load();
    const title = `${entry.code} ${entry.phrase}`.padEnd(38);
    if (story === undefined) {
      counts.missing++;
      console.log(styleText("dim", line(`–  ${title} not yet`)));
      continue;
    }
    const performances = await playScenario(story, playOptions(options));
    const failures = performances.filter(({ failure }) => failure !== undefined);
    const time = `${Math.round(performances.reduce((sum, { duration }) => sum + duration, 0))} ms`;
    if (failures.length === 0) {
      counts.ok++;
      const told = line(`   ${title} ${time.padStart(7)}  ${story.sender}; ${story.reacts}`);
      console.log(`${styleText("green", "✔")}${told.slice(1)}`);
    } else {
      counts.failed++;
      console.log(`${styleText("red", "✘")}  ${title} ${time.padStart(7)}  ${story.sender}`);
      for (const failed of failures) console.log(printFailure(failed));
    }
  }
  const { ok, failed, missing } = counts;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `\n${ok} of ${wanted.length} proven${failed > 0 ? `, ${failed} failed` : ""}${
      missing > 0 ? `, ${missing} not yet` : ""
    }, ${seconds} s`,
  );
  if (failed > 0) process.exitCode = 1;
}

function printFailure({ part, title, mode, transport, seed, failure }: Performance): string {
  const where = mode === "real" ? "loopback" : `bad weather, seed ${seed}`;
  const lines = (failure?.message ?? "").split("\n").map((line) => `       ${line.replace(/\r$/, "")}`);
  return [
    `     ${partName(part)}${title === "" ? "" : ` “${title}”`}, ${transport}, ${where}:`,
    ...lines,
  ].join("\n");
}

function partName(part: Performance["part"]): string {
  return part === "nearMiss" ? "near miss" : part;
}

/** The ladders of one code, each act in its first transport, on loopback unless told otherwise. */
async function printOne(entry: Entry, options: TourOptions): Promise<void> {
  const story = await loaded(entry);
  const { modes = ["real"] } = playOptions(options);
  const performances = await playScenario(story, { modes, seeds: [1] });
  console.log(
    [
      styleText("bold", `${entry.code} ${entry.phrase}`),
      `sent by ${story.sender}: ${story.condition}`,
      `then ${story.reacts}`,
    ].join("\n"),
  );
  const acts = actsOf(story);
  const shown = new Set<string>();
  for (const one of performances) {
    const act = `${one.part} ${one.title}`;
    if (one.failure === undefined && shown.has(act)) continue;
    shown.add(act);
    console.log(`\n${styleText("bold", `${partName(one.part)}${one.title === "" ? "" : `: ${one.title}`}`)}`);
    const { notInWeather } = acts.find(({ part, title }) => part === one.part && title === one.title) ?? {};
    if (notInWeather !== undefined) console.log(styleText("dim", `on loopback only: ${notInWeather}`));
    console.log(printLadder(one.ladder, { full: options.full === true }));
    for (const check of one.passed) console.log(`${styleText("green", "✔")} ${check}`);
    if (one.failure !== undefined) {
      process.exitCode = 1;
      console.log(`${styleText("red", "✘")} ${one.failure.message.replaceAll("\r", "")}`);
    }
  }
}

async function printRecordings(wanted: readonly Entry[], options: TourOptions): Promise<void> {
  const { modes = ["real"] } = playOptions(options);
  const recordings = [];
  for (const entry of wanted) {
    const story = await entry.load();
    const { code, phrase } = entry;
    if (story === undefined) {
      recordings.push({ code, phrase, isProven: false, performances: [] });
      continue;
    }
    const performances = await playScenario(story, { modes, seeds: [1] });
    const isProven = performances.every(({ failure }) => failure === undefined);
    if (!isProven) process.exitCode = 1;
    const { sender, condition, reacts } = story;
    recordings.push({ ...{ code, phrase, sender, condition, reacts, isProven, performances } });
  }
  console.log(JSON.stringify(recordings, undefined, 2));
}

async function runMutants(wanted: readonly Entry[], options: TourOptions): Promise<void> {
  if (!canMutate())
    throw new CliError(
      "--mutate needs a checkout of the repository: it changes sources while they are loaded",
    );
  const stories = (await Promise.all(wanted.map((entry) => entry.load()))).filter(
    (story): story is Scenario => story !== undefined,
  );
  const started = performance.now();
  const verdicts: Verdict[] = [];
  await mutate(stories, (verdict) => {
    verdicts.push(verdict);
    if (options.json === true) return;
    const { code, part, mutant, isKilled, reason } = verdict;
    const mark = isKilled ? styleText("green", "✔ killed  ") : styleText("red", "✘ survives");
    console.log(`${mark} ${code} ${part.padEnd(8)} ${mutant.title}: ${styleText("dim", reason)}`);
  });
  const survivors = verdicts.filter(({ isKilled }) => !isKilled).length;
  if (options.json === true) console.log(JSON.stringify(verdicts, undefined, 2));
  else {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`\n${verdicts.length - survivors} of ${verdicts.length} mutants killed, ${seconds} s`);
  }
  if (survivors > 0) process.exitCode = 1;
}

/** @throws {CliError} if the code has no scenario yet */
async function loaded(entry: Entry): Promise<Scenario> {
  const story = await entry.load();
  if (story === undefined) throw new CliError(`${entry.code} ${entry.phrase} has no scenario yet`, 1);
  return story;
}
