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

/** The number of the method spelt in [start, end); 0 if it is none of `methodNames`. Methods are case-sensitive. */
export function methodIdAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  for (let id = 1; id < methodNames.length; id++) {
    const name = methodNames[id]!;
    if (name.length !== length || name.charCodeAt(0) !== bytes[start]) continue;
    let i = 1;
    while (i < length && name.charCodeAt(i) === bytes[start + i]) i++;
    if (i === length) return id;
  }
  return 0;
}
