// A failure in words, for the person who waits: what it means, why it may have come, what to check.

import type { Rejected } from "../errors.ts";
import { reasonPhrase, treatedAs } from "../responses/index.ts";
import { type Language, loadTexts } from "../responses/text/index.ts";

export interface Explanation {
  /** Code and phrase as received. */
  readonly title: string;
  /** The code's name in the language. */
  readonly name: string;
  readonly meaning: string;
  /** The likeliest first. */
  readonly causes: readonly string[];
  /** What to look at or do, in a sensible order. */
  readonly checks: readonly string[];
  /** What the other side itself said about it: the texts of its Warning and Reason header fields. */
  readonly said: readonly string[];
}

/** For responses that were made here (§8.1.3.1). */
const madeHere: Readonly<Record<Language, Readonly<Record<Exclude<Rejected["origin"], "peer">, string>>>> = {
  en: {
    timeout: "Nobody answered in time.",
    transport: "The next server could not be reached.",
    canceled: "It was given up before anything was sent.",
  },
  "zh-TW": {
    timeout: "等候期間沒有收到任何回應。",
    transport: "無法連上下一站伺服器。",
    canceled: "在送出之前就已放棄。",
  },
};

/** Loads the texts of that language, and no other: nothing of them is in a program that never calls this. */
export async function explain(error: Rejected, language: Language = "en"): Promise<Explanation> {
  const { statusCode, reasonPhrase: said, origin } = error;
  const code = treatedAs(statusCode);
  const { name, meaning, causes, checks } = (await loadTexts(language))[code];
  const texts = [...error.warnings, ...error.reasons].map(({ text }) => text ?? "");
  return {
    title: said === "" ? `${statusCode}` : `${statusCode} ${said}`,
    name: name ?? reasonPhrase(code),
    meaning: origin === "peer" ? meaning : madeHere[language][origin],
    ...{ causes, checks },
    said: texts.filter((text) => text !== ""),
  };
}
