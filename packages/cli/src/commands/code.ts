// `offhook code [query]`: the reference of response codes in the terminal, as cards, a table, JSON or CSV, in English
// or 繁體中文.
import { styleText } from "node:util";
import {
  catalogue,
  causeOfStatus,
  causesLeadingTo,
  type ResponseClass,
  reasonPhrase,
  treatedAs,
} from "@offhook/sip/responses";
import {
  type CodeText,
  type CodeTexts,
  type Language,
  languages,
  loadTexts,
} from "@offhook/sip/responses/text";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { type CodeWords, en } from "../code-words/en.ts";
import { zhTw } from "../code-words/zh-tw.ts";
import { padTo, shorten, textWidth, wrap } from "../text-width.ts";

type Facts = (typeof catalogue)[number];

/** What is shown in one language: the texts of the codes, and the words around them. */
interface Book {
  readonly language: Language;
  readonly texts: CodeTexts;
  readonly words: CodeWords;
}

const wordsOf: Readonly<Record<Language, CodeWords>> = { en, "zh-TW": zhTw };

interface CodeOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly lang: string;
}

/** The subcommand. It prints through commander's `configureOutput`; an unknown code is a CliError, exit code 1. */
export function codeCommand(): Command {
  return new Command("code")
    .description("what a SIP response code means, who sends it, why, and what to check")
    .argument("[query...]", "a code (486), a class (4xx), or words from its phrase, meaning, headers or RFC")
    .option("--lang <language>", `the language of the texts: ${languages.join(" or ")}`, "en")
    .option("--json", "print an array of all facts and texts as JSON")
    .option("--csv", "print one line per code as CSV")
    .action(async (words: string[], options: CodeOptions, command: Command) => {
      const language = languageNamed(options.lang);
      if (options.json && options.csv) throw new CliError("choose one of --json and --csv");
      const book: Book = { language, texts: await loadTexts(language), words: wordsOf[language] };
      const query = words.join(" ").trim();
      const found = find(query, book);
      if (found.length === 0) throw new CliError(noMatch(query), 1);
      command.configureOutput().writeOut?.(print(found, book, options));
    });
}

function languageNamed(name: string): Language {
  const language = languages.find((known) => known.toLowerCase() === name.toLowerCase());
  if (language === undefined)
    throw new CliError(`--lang ${name}: the languages are ${languages.join(" and ")}`);
  return language;
}

function noMatch(query: string): string {
  if (/^[1-6]\d\d$/.test(query)) {
    const code = treatedAs(Number(query));
    return `${query} is not registered; who receives it treats it as ${code} ${reasonPhrase(code)} (RFC 3261 §8.1.3.2)`;
  }
  return /^\d{3}$/.test(query)
    ? `${query} is not a SIP response code; \`offhook code\` lists all ${catalogue.length}`
    : `no response code matches "${query}"; \`offhook code\` lists all ${catalogue.length}`;
}

function print(found: readonly Facts[], book: Book, options: CodeOptions): string {
  if (options.json)
    return `${JSON.stringify(
      found.map((facts) => record(facts, book)),
      null,
      2,
    )}\n`;
  if (options.csv) return csv(found, book);
  const only = found[0];
  return found.length === 1 && only !== undefined ? card(only, book) : table(found, book);
}

/** Columns to fill: those of the terminal, but lines that stay readable; into a file or pipe each text is one line. */
function roomFor(longest: number): number {
  return process.stdout.isTTY ? Math.min(process.stdout.columns, longest) : Number.POSITIVE_INFINITY;
}

const nameOf = (facts: Facts, { texts }: Book) => texts[facts.code].name ?? facts.phrase;

/**
 * Codes whose number, class, name or meaning fits, those that match in their name first; the causes and checks are
 * searched only for what is found nowhere else.
 */
function find(query: string, book: Book): readonly Facts[] {
  if (query === "") return catalogue;
  if (/^\d{3}$/.test(query)) return catalogue.filter((facts) => facts.code === Number(query));
  const ofClass = /^([1-6])(xx)?$/i.exec(query)?.[1];
  if (ofClass !== undefined) return catalogue.filter((facts) => String(facts.code).startsWith(ofClass));
  const words = query.toLowerCase().split(/\s+/);
  const where = (textOf: (facts: Facts) => string) =>
    catalogue.filter((facts) => words.every((word) => hasWord(textOf(facts).toLowerCase(), word)));
  const byName = where((facts) => `${facts.phrase} ${nameOf(facts, book)}`);
  const byText = where((facts) => searchText(facts, book));
  const found = [...byName, ...byText.filter((facts) => !byName.includes(facts))];
  if (found.length > 0) return found;
  return where(({ code }) => [...book.texts[code].causes, ...book.texts[code].checks].join(" "));
}

/** True if a word of the text begins like that: "here" is in "Busy Here", not in "elsewhere". */
function hasWord(text: string, beginning: string): boolean {
  for (let at = text.indexOf(beginning); at >= 0; at = text.indexOf(beginning, at + 1)) {
    if (at === 0 || !/[a-z0-9]/.test(text.charAt(at - 1))) return true;
  }
  return false;
}

function searchText(facts: Facts, { texts, words }: Book): string {
  const sources = facts.sources.flatMap(({ rfc }) => [`RFC ${rfc}`, `RFC${rfc}`]);
  const { meaning } = texts[facts.code];
  const headers = headersOf(facts, words).map(({ header }) => header);
  return [facts.code, facts.phrase, meaning, ...headers, ...sources, words.standings[facts.standing]].join(
    " ",
  );
}

// --- One code -------------------------------------------------------------------------------------------------

/** Every header the code is to carry, with the strength of the rule. */
function headersOf({ headers }: Facts, words: CodeWords): { header: string; shown: string }[] {
  const { must = [], mustWhen = [], should = [], may = [] } = headers;
  return [
    ...must.map((header) => ({ header, shown: words.header.must(header) })),
    ...mustWhen.map(({ header, when }) => ({
      header,
      shown: words.header.mustWhen(header, words.condition(when)),
    })),
    ...should.map((header) => ({ header, shown: words.header.should(header) })),
    ...may.map((header) => ({ header, shown: words.header.may(header) })),
  ];
}

function card(facts: Facts, book: Book): string {
  const { texts, words } = book;
  const { name, meaning, causes, checks } = texts[facts.code];
  const kind = [words.classes[facts.class], words.standings[facts.standing]].filter((text) => text !== "");
  const title = [
    `${paintCode(facts)} ${styleText("bold", name === undefined ? facts.phrase : `${facts.phrase} ${name}`)}`,
    styleText("dim", kind.join(words.clause)),
  ].join("  ");
  const room = roomFor(100);
  const text = wrap(meaning, room - 2).map((line) => `  ${line}`);
  const blocks = [
    ...block(words.labels.causes, causes, room),
    ...block(words.labels.checks, checks, room),
    ...factLines(facts, words, room),
  ];
  return `${[title, ...text, "", ...blocks].join("\n")}\n`;
}

/** A heading and its items, each behind a dash, then an empty line. */
function block(heading: string, items: CodeText["causes"], room: number): string[] {
  const lines = items.flatMap((item) =>
    wrap(item, room - 4).map((line, index) => `  ${index === 0 ? "- " : "  "}${line}`),
  );
  return [`  ${styleText("bold", heading)}`, ...lines, ""];
}

function factLines(facts: Facts, words: CodeWords, room: number): string[] {
  const { labels, comma } = words;
  const rows: [label: string, value: string][] = [
    [labels.sources, facts.sources.map(({ rfc, section }) => `RFC ${rfc} §${section}`).join(comma)],
    [labels.roles, facts.roles.map((role) => words.roles[role]).join(comma)],
    [labels.methods, methodsOf(facts, words)],
    ...headersOf(facts, words).map(({ shown }, index): [string, string] => [
      index === 0 ? labels.headers : "",
      shown,
    ]),
  ];
  if (facts.class !== "provisional" && facts.class !== "success") {
    const guide = facts.guidedBy ? words.see(facts.guidedBy.join(comma)) : "";
    rows.push([labels.retry, `${words.retries[facts.retry]}${guide}`]);
  }
  if (facts.effect) rows.push([labels.effect, words.effects[facts.effect]]);
  if (facts.endsSubscription) rows.push([labels.subscription, words.subscriptionEnds]);
  const q850 = q850Of(facts.code, words);
  if (q850.to !== "") rows.push([labels.toQ850, q850.to]);
  if (q850.from !== "") rows.push([labels.fromQ850, q850.from]);

  const labelWidth = Math.max(...Object.values(labels).map(textWidth).slice(2));
  return rows.flatMap(([label, value]) =>
    wrap(value, room - labelWidth - 4).map(
      (line, index) => `  ${styleText("dim", padTo(index === 0 ? label : "", labelWidth))}  ${line}`,
    ),
  );
}

function methodsOf(facts: Facts, words: CodeWords): string {
  const methods =
    facts.methods === "any"
      ? words.anyMethodBut(["ACK", ...(facts.notMethods ?? [])].join(words.comma))
      : facts.methods.join(words.comma);
  return facts.dialog === undefined ? methods : `${methods}${words.clause}${words.dialog[facts.dialog]}`;
}

function q850Of(code: number, { cause, comma }: CodeWords): { to: string; from: string } {
  const release = causeOfStatus(code);
  const notes = [
    release?.location === "user" ? cause.user : "",
    release?.repairFirst ? cause.repairFirst : "",
    release?.dependsOnWarning ? cause.dependsOnWarning : "",
  ].filter((note) => note !== "");
  const number = release === undefined ? "" : String(release.cause);
  return {
    to: release === undefined || notes.length === 0 ? number : cause.notes(release.cause, notes.join(comma)),
    from: causesLeadingTo(code).join(comma),
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

/** Code, phrase, then the name in the language of the book or, in English, the source; and the meaning if it fits. */
function table(found: readonly Facts[], book: Book): string {
  const sourceOf = ({ sources: [{ rfc, section }] }: Facts) => `RFC ${rfc} §${section}`;
  const secondOf = (facts: Facts) => book.texts[facts.code].name ?? sourceOf(facts);
  const phraseWidth = Math.max(...found.map(({ phrase }) => phrase.length));
  const secondWidth = Math.max(...found.map((facts) => textWidth(secondOf(facts))));
  const room = roomFor(Number.POSITIVE_INFINITY) - phraseWidth - secondWidth - 9;
  const lines = found.map((facts) =>
    [
      paintCode(facts),
      padTo(facts.phrase, phraseWidth),
      styleText("dim", padTo(secondOf(facts), secondWidth)),
      shorten(book.texts[facts.code].meaning, room),
    ]
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** The facts as plain JSON, with the texts in the language of the book and the release causes beside them. */
function record(facts: Facts, book: Book) {
  const { meaning, causes, checks } = book.texts[facts.code];
  return {
    ...facts,
    language: book.language,
    name: nameOf(facts, book),
    meaning,
    causes,
    checks,
    q850: causeOfStatus(facts.code) ?? null,
    fromQ850: causesLeadingTo(facts.code),
  };
}

// RFC 4180: fields with a comma, quote or line break are quoted, quotes doubled. Lists are joined by spaces.
function csv(found: readonly Facts[], { texts }: Book): string {
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
    texts[facts.code].meaning,
  ]);
  return `${[header, ...rows.map((row) => row.map(csvField).join(","))].join("\n")}\n`;
}

function csvField(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
