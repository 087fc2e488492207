// The languages that the texts exist in. Nothing is loaded here: a program that knows its language imports
// `responses/text/en` or `responses/text/zh-tw`, one that is told it when it runs calls `loadTexts`.
import type { CodeTexts } from "./code-text.ts";

export type { CodeText, CodeTexts, Items, TranslatedTexts } from "./code-text.ts";

/** Language tags as in BCP 47. */
export const languages = ["en", "zh-TW"] as const;

export type Language = (typeof languages)[number];

const loaders: Readonly<Record<Language, () => Promise<CodeTexts>>> = {
  en: async () => (await import("./en/index.ts")).en,
  "zh-TW": async () => (await import("./zh-tw/index.ts")).zhTw,
};

/** The texts of one language, and of no other. */
export function loadTexts(language: Language): Promise<CodeTexts> {
  return loaders[language]();
}
