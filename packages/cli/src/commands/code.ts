// `offhook code [query]`: the reference of response codes in the terminal, as cards, a table, JSON or CSV.
import { styleText } from "node:util";
import {
  catalogue,
  causeOfStatus,
  causesLeadingTo,
  type Effect,
  type ResponseClass,
  type Retry,
  type Role,
  type Standing,
} from "@offhook/sip/responses";
import { en } from "@offhook/sip/responses/text/en";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";

type Facts = (typeof catalogue)[number];

/** The subcommand. It prints through commander's `configureOutput`; an unknown code is a CliError, exit code 1. */
export function codeCommand(): Command {
  return new Command("code")
    .description("what a SIP response code means, who sends it and what the caller may do")
    .argument("[query...]", "a code (486), a class (4xx), or words from its phrase, meaning, headers or RFC")
    .option("--json", "print an array of all facts as JSON")
    .option("--csv", "print one line per code as CSV")
    .action((words: string[], options: { json?: boolean; csv?: boolean }, command: Command) => {
      const query = words.join(" ").trim();
      const found = find(query);
      if (found.length === 0) throw new CliError(noMatch(query), 1);
      if (options.json && options.csv) throw new CliError("choose one of --json and --csv");
      command.configureOutput().writeOut?.(print(found, options));
    });
}

function noMatch(query: string): string {
  return /^\d{3}$/.test(query)
    ? `${query} is not a SIP response code; \`offhook code\` lists all ${catalogue.length}`
    : `no response code matches "${query}"; \`offhook code\` lists all ${catalogue.length}`;
}

function print(found: readonly Facts[], options: { json?: boolean; csv?: boolean }): string {
  if (options.json) return `${JSON.stringify(found.map(record), null, 2)}\n`;
  if (options.csv) return csv(found);
  const only = found[0];
  return found.length === 1 && only !== undefined ? card(only) : table(found);
}

/** Codes whose number, class, phrase or other words fit; those that match in the phrase come first. */
function find(query: string): readonly Facts[] {
  if (query === "") return catalogue;
  if (/^\d{3}$/.test(query)) return catalogue.filter((facts) => facts.code === Number(query));
  const ofClass = /^([1-6])(xx)?$/i.exec(query)?.[1];
  if (ofClass !== undefined) return catalogue.filter((facts) => String(facts.code).startsWith(ofClass));
  const words = query.toLowerCase().split(/\s+/);
  const fits = (text: string) => words.every((word) => hasWord(text.toLowerCase(), word));
  const byPhrase = catalogue.filter((facts) => fits(facts.phrase));
  const byText = catalogue.filter((facts) => !fits(facts.phrase) && fits(searchText(facts)));
  return [...byPhrase, ...byText];
}

/** True if a word of the text begins like that: "here" is in "Busy Here", not in "elsewhere". */
function hasWord(text: string, beginning: string): boolean {
  for (let at = text.indexOf(beginning); at >= 0; at = text.indexOf(beginning, at + 1)) {
    if (at === 0 || !/[a-z0-9]/.test(text.charAt(at - 1))) return true;
  }
  return false;
}

function searchText(facts: Facts): string {
  const sources = facts.sources.flatMap(({ rfc }) => [`RFC ${rfc}`, `RFC${rfc}`]);
  return [
    facts.code,
    facts.phrase,
    en[facts.code].meaning,
    ...headersOf(facts).map(([header]) => header),
    ...sources,
  ]
    .join(" ")
    .concat(facts.standing === "current" ? "" : ` ${facts.standing}`);
}

// --- One code -------------------------------------------------------------------------------------------------

const roleNames: Readonly<Record<Role, string>> = {
  uas: "user agent (callee)",
  proxy: "proxy",
  registrar: "registrar",
  redirect: "redirect server",
  notifier: "notifier",
  subscriber: "subscriber",
  compositor: "publication server",
  gateway: "telephone gateway",
  relay: "relay (list or message server)",
  verifier: "identity verifier",
  intermediary: "service on the callee's side",
};

const retryTexts: Readonly<Record<Retry, string>> = {
  none: "nothing to repeat",
  never: "not send the same request again",
  changed: "change the request and send it once more",
  credentials: "send it again with credentials",
  "other target": "send it to another target",
  delayed: "try again later",
  "by person": "let a person decide before trying again",
};

const effectTexts: Readonly<Record<Effect, string>> = {
  transaction: "only this request fails, the call goes on",
  usage: "the call or subscription that it belongs to ends",
  dialog: "the whole dialog ends",
};

const standingTexts: Readonly<Record<Standing, string>> = {
  current: "",
  deprecated: "deprecated",
  obsolete: "obsolete, RFC 2543 only",
  reserved: "reserved",
};

/** Every header the code is to carry, with the strength of the rule. */
function headersOf(facts: Facts): [header: string, rule: string][] {
  const { must = [], mustWhen = [], should = [], may = [] } = facts.headers;
  return [
    ...must.map((header): [string, string] => [header, "must"]),
    ...mustWhen.map(({ header, when }): [string, string] => [header, `must when ${when}`]),
    ...should.map((header): [string, string] => [header, "should"]),
    ...may.map((header): [string, string] => [header, "may"]),
  ];
}

function card(facts: Facts): string {
  const standing = standingTexts[facts.standing];
  const title = `${paintCode(facts)} ${styleText("bold", facts.phrase)}`;
  const kind = [facts.class, standing].filter((text) => text !== "").join(", ");
  const rows: [name: string, value: string][] = [
    ["Defined in", facts.sources.map(({ rfc, section }) => `RFC ${rfc} §${section}`).join(", ")],
    ["Sent by", facts.roles.map((role) => roleNames[role]).join(", ")],
    ["Answers", methodsOf(facts)],
    ...headersOf(facts).map(([header, rule], index): [string, string] => [
      index === 0 ? "Carries" : "",
      `${header} (${rule})`,
    ]),
  ];
  if (facts.class !== "provisional" && facts.class !== "success") {
    const guide = facts.guidedBy ? ` (see ${facts.guidedBy.join(", ")})` : "";
    rows.push(["Caller may", `${retryTexts[facts.retry]}${guide}`]);
  }
  if (facts.effect) rows.push(["In a call", effectTexts[facts.effect]]);
  if (facts.endsSubscription) rows.push(["Subscription", "ends if a refresh or a NOTIFY gets this answer"]);
  const q850 = q850Of(facts.code);
  if (q850.to !== "") rows.push(["To Q.850", q850.to]);
  if (q850.from !== "") rows.push(["From Q.850", q850.from]);
  const lines = rows.map(([name, value]) => `  ${styleText("dim", name.padEnd(12))} ${value}`);
  return `${title}  ${styleText("dim", kind)}\n  ${en[facts.code].meaning}\n\n${lines.join("\n")}\n`;
}

function methodsOf(facts: Facts): string {
  const methods = facts.methods === "any" ? "any method but ACK" : facts.methods.join(", ");
  const except = facts.notMethods ? `, ${facts.notMethods.join(", ")}` : "";
  const where = facts.dialog === undefined ? "" : `, ${facts.dialog} a dialog`;
  return `${methods}${except}${where}`;
}

function q850Of(code: number): { to: string; from: string } {
  const release = causeOfStatus(code);
  const notes = [
    release?.location === "user" ? "location user" : "",
    release?.repairFirst ? "after trying to repair the request" : "",
    release?.dependsOnWarning ? "or as Warning says" : "",
  ].filter((note) => note !== "");
  const suffix = notes.length > 0 ? ` (${notes.join(", ")})` : "";
  return {
    to: release === undefined ? "" : `${release.cause}${suffix}`,
    from: causesLeadingTo(code).join(", "),
  };
}

// --- Many codes -----------------------------------------------------------------------------------------------

const classColours = {
  provisional: "cyan",
  success: "green",
  redirection: "blue",
  "request failure": "yellow",
  "server failure": "red",
  "global failure": "magenta",
} as const satisfies Record<ResponseClass, string>;

function paintCode(facts: Facts): string {
  return styleText(["bold", classColours[facts.class]], String(facts.code));
}

function table(found: readonly Facts[]): string {
  const phraseWidth = Math.max(...found.map((facts) => facts.phrase.length));
  const sourceOf = (facts: Facts) => `RFC ${facts.sources[0].rfc} §${facts.sources[0].section}`;
  const sourceWidth = Math.max(...found.map((facts) => sourceOf(facts).length));
  const room = process.stdout.isTTY ? process.stdout.columns - phraseWidth - sourceWidth - 8 : Infinity;
  const lines = found.map((facts) => {
    const meaning = shorten(en[facts.code].meaning, room);
    const cells = [
      facts.phrase.padEnd(phraseWidth),
      styleText("dim", sourceOf(facts).padEnd(sourceWidth)),
      meaning,
    ];
    return `${paintCode(facts)}  ${cells.join("  ")}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** Cut to `room` characters, or nothing at all where only a stump would remain. */
function shorten(text: string, room: number): string {
  if (text.length <= room) return text;
  return room < 20 ? "" : `${text.slice(0, room - 1).trimEnd()}…`;
}

/** The facts as plain JSON, with the meaning and the release causes beside them. */
function record(facts: Facts) {
  return {
    ...facts,
    meaning: en[facts.code].meaning,
    q850: causeOfStatus(facts.code) ?? null,
    fromQ850: causesLeadingTo(facts.code),
  };
}

// RFC 4180: fields with a comma, quote or line break are quoted, quotes doubled. Lists are joined by spaces.
function csv(found: readonly Facts[]): string {
  const header =
    "code,phrase,class,rfc,section,standing,registered,roles,methods,headers,retry,guidedBy,effect,q850,fromQ850,meaning";
  const rows = found.map((facts) => [
    facts.code,
    facts.phrase,
    facts.class,
    facts.sources[0].rfc,
    facts.sources[0].section,
    facts.standing,
    facts.isRegistered,
    facts.roles.join(" "),
    facts.methods === "any" ? "any" : facts.methods.join(" "),
    (facts.headers.must ?? []).join(" "),
    facts.retry,
    (facts.guidedBy ?? []).join(" "),
    facts.effect ?? "",
    causeOfStatus(facts.code)?.cause ?? "",
    causesLeadingTo(facts.code).join(" "),
    en[facts.code].meaning,
  ]);
  return `${[header, ...rows.map((row) => row.map(csvField).join(","))].join("\n")}\n`;
}

function csvField(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
