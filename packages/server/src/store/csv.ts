// Comma-separated values, RFC 4180, for importing users: fields may be quoted, lines end as they like.

/** One record and the line on which it begins, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
  /** What is wrong with it, if it cannot be read; `fields` then holds what came before. */
  readonly problem?: string;
}

/** Takes the text apart. Empty lines, and lines that begin with #, are skipped; a byte order mark too. */
export function* readCsv(text: string): Generator<CsvRecord> {
  let position = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  while (position < text.length) {
    const start = line;
    if (/[\r\n#]/.test(text[position]!)) {
      const end = endOfLine(text, position);
      position = end.next;
      line++;
      continue;
    }
    const fields: string[] = [];
    let problem: string | undefined;
    for (;;) {
      const field = readField(text, position);
      line += field.lineBreaks;
      fields.push(field.value);
      problem = field.problem;
      position = field.next;
      if (problem !== undefined || text[position] !== ",") break;
      position++;
    }
    const end = endOfLine(text, position);
    position = end.next;
    line++;
    yield problem === undefined ? { line: start, fields } : { line: start, fields, problem };
  }
}

interface Field {
  readonly value: string;
  readonly next: number;
  readonly lineBreaks: number;
  readonly problem?: string;
}

function readField(text: string, start: number): Field {
  if (text[start] !== '"') {
    let next = start;
    while (next < text.length && !",\r\n".includes(text[next]!)) next++;
    const value = text.slice(start, next);
    return {
      value,
      next,
      lineBreaks: 0,
      ...(value.includes('"') ? { problem: "a quote inside a field" } : {}),
    };
  }
  let value = "";
  let lineBreaks = 0;
  for (let next = start + 1; next < text.length; next++) {
    const c = text[next]!;
    if (c === '"' && text[next + 1] === '"') next++;
    else if (c === '"') {
      const after = text[next + 1];
      const isEnd = after === undefined || ",\r\n".includes(after);
      return {
        value,
        next: next + 1,
        lineBreaks,
        ...(isEnd ? {} : { problem: "text after a closing quote" }),
      };
    }
    if (c === "\n") lineBreaks++;
    value += c;
  }
  return { value: "", next: text.length, lineBreaks, problem: "a quote that is not closed" };
}

function endOfLine(text: string, position: number): { next: number } {
  let end = position;
  while (end < text.length && text[end] !== "\n" && text[end] !== "\r") end++;
  return { next: text.startsWith("\r\n", end) ? end + 2 : end + 1 };
}
