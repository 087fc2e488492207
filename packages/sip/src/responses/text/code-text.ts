// The shape of what a person is told about one response code, the same in every language.
import type { ResponseCode } from "../catalogue.ts";

/** Two to four short items, without a full stop at the end. */
export type Items =
  | readonly [string, string]
  | readonly [string, string, string]
  | readonly [string, string, string, string];

/** Plain text without markup: header names, methods and numbers stand as they do on the wire. */
export interface CodeText {
  /** The reason phrase in this language; absent in English, where the registered one is it. */
  readonly name?: string;
  /** What the code says, in one or two sentences. */
  readonly meaning: string;
  /** Why it was sent, the likeliest first. */
  readonly causes: Items;
  /** What to look at or do, in a sensible order. */
  readonly checks: Items;
}

/** One text per code of the catalogue; a missing one is a compile error. */
export type CodeTexts = Readonly<Record<ResponseCode, CodeText>>;

/** As CodeTexts, in a language other than the registry's: every code has a name too. */
export type TranslatedTexts = Readonly<Record<ResponseCode, CodeText & { readonly name: string }>>;
