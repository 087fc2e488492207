// What is expected of each torture message: RFC 4475, RFC 5118. Data; test/torture.test.ts checks the message level,
// and the column `stack` says what a whole element does with the messages that parse.
import { invalidRows } from "./invalid.ts";
import { ipv6Rows } from "./ipv6.ts";
import { layerRows } from "./layers.ts";
import type { TortureRow } from "./row.ts";
import { validRows } from "./valid.ts";

export const tortureTable: readonly TortureRow[] = [...validRows, ...invalidRows, ...layerRows, ...ipv6Rows];
