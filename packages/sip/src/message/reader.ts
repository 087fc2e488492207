// A place in a header value, for the parsers that are not on the hot path: token, quoted string, parameters, …
import { ParseError } from "../errors.ts";
import { DIGIT, QUOTE } from "./characters.ts";
import { parseDigits, skipClass, skipQuoted, skipToken, skipWhite } from "./grammar.ts";
import { type Params, parseParams } from "./params.ts";
import { decodeAscii, decodeQuoted, decodeText } from "./text.ts";

/** Reads forward through [start, end); every method throws ParseError if what it wants is not there. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly field: string;
  position: number;

  constructor(bytes: Uint8Array, start: number, end: number, field: string) {
    this.bytes = bytes;
    this.end = end;
    this.field = field;
    this.position = skipWhite(bytes, start, end);
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  fail(reason: string): never {
    throw new ParseError(this.field, reason, { offset: this.position });
  }

  white(): void {
    this.position = skipWhite(this.bytes, this.position, this.end);
  }

  /** The next character without taking it; "" at the end. */
  peek(): string {
    return this.isAtEnd ? "" : String.fromCharCode(this.bytes[this.position]!);
  }

  /** Takes the character, white space before and after included, if it is next. */
  takes(character: string): boolean {
    const at = skipWhite(this.bytes, this.position, this.end);
    if (at >= this.end || this.bytes[at] !== character.charCodeAt(0)) return false;
    this.position = skipWhite(this.bytes, at + 1, this.end);
    return true;
  }

  expect(character: string): void {
    if (!this.takes(character)) this.fail(`"${character}" is missing`);
  }

  token(what: string = "a token"): string {
    const after = skipToken(this.bytes, this.position, this.end);
    if (after === this.position) this.fail(`${what} is missing`);
    const text = decodeAscii(this.bytes, this.position, after);
    this.position = after;
    return text;
  }

  number(most?: number): number {
    const after = skipClass(this.bytes, this.position, this.end, DIGIT);
    const value = parseDigits(this.bytes, this.position, after, this.field, most);
    this.position = after;
    return value;
  }

  get isAtQuote(): boolean {
    return !this.isAtEnd && this.bytes[this.position] === QUOTE;
  }

  quoted(): string {
    if (!this.isAtQuote) this.fail("a quoted string is missing");
    const after = skipQuoted(this.bytes, this.position, this.end);
    if (after < 0) this.fail("a quoted string does not end");
    const text = decodeQuoted(this.bytes, this.position + 1, after - 1);
    this.position = after;
    return text;
  }

  /** Everything up to the next of the characters (or the end), as text without white space around it. */
  until(characters: string): string {
    let p = this.position;
    while (p < this.end && !holds(characters, this.bytes[p]!)) p++;
    const text = decodeText(this.bytes, this.position, p).trim();
    this.position = p;
    return text;
  }

  /** All that is left, as parameters. */
  params(): Params {
    const params = parseParams(this.bytes, this.position, this.end, this.field);
    this.position = this.end;
    return params;
  }

  finish(): void {
    this.white();
    if (!this.isAtEnd) this.fail("unexpected text at the end");
  }
}

function holds(characters: string, code: number): boolean {
  for (let i = 0; i < characters.length; i++) if (characters.charCodeAt(i) === code) return true;
  return false;
}
