// Methods: RFC 3261 §7.1 and the registered extensions. Known ones are recognised without making a string.

/** Methods with a number of their own, so that hot paths compare numbers. 0 stands for any other method. */
export const methodNames = [
  "",
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "OPTIONS",
  "REGISTER",
  "PRACK",
  "SUBSCRIBE",
  "NOTIFY",
  "PUBLISH",
  "INFO",
  "REFER",
  "MESSAGE",
  "UPDATE",
] as const;

export const INVITE = 1;
export const ACK = 2;
export const BYE = 3;
export const CANCEL = 4;
export const OPTIONS = 5;
export const REGISTER = 6;

// Names as they stand in messages: found by length and first letter, which no two of the table have in common, and
// their letters, 16 bytes for each.
const slots = new Uint8Array(256);
const letters = new Uint8Array(methodNames.length * 16);
for (let id = 1; id < methodNames.length; id++) {
  const name = methodNames[id]!;
  for (let i = 0; i < name.length; i++) letters[id * 16 + i] = name.charCodeAt(i);
  slots[slotOf(name.length, name.charCodeAt(0))] = id;
}

function slotOf(length: number, first: number): number {
  return ((length << 5) ^ first) & 255;
}

/** The number of the method spelt in [start, end); 0 if it is none of `methodNames`. Methods are case-sensitive. */
export function methodIdAt(bytes: Uint8Array, start: number, end: number): number {
  const id = slots[slotOf(end - start, bytes[start]!)]!;
  if (methodNames[id]!.length !== end - start) return 0;
  const shift = id * 16 - start;
  let i = start;
  while (i < end && bytes[i] === letters[shift + i]) i++;
  return i === end ? id : 0;
}
