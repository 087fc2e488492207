// Characters, and the classes of RFC 3261 §25.1 as one table.
// Hot files take them by `const { CR, SPACE } = characters`: V8 builds the constants of a module into its code, but loads
// and checks imported ones at each use.

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SPACE = 32;
export const QUOTE = 34;
export const HASH = 35;
export const PERCENT = 37;
export const AMPERSAND = 38;
export const STAR = 42;
export const COMMA = 44;
export const SLASH = 47;
export const COLON = 58;
export const SEMICOLON = 59;
export const LESS = 60;
export const EQUALS = 61;
export const GREATER = 62;
export const QUESTION = 63;
export const AT = 64;
export const OPEN_BRACKET = 91;
export const BACKSLASH = 92;
export const CLOSE_BRACKET = 93;

/** token. */
export const TOKEN = 1;
/** user, without "%" (an escape is more than one character). */
export const USER = 2;
/** password, likewise. */
export const PASSWORD = 4;
/** paramchar of URI parameters, likewise. */
export const URI_PARAM = 8;
/** Characters of URI headers, likewise. */
export const URI_HEADER = 16;
/** Letters, digits, "-", "_", "." of host names. */
export const HOST = 32;
export const HEX = 64;
export const DIGIT = 128;
/** White space inside a header value: SP, HTAB, and the CR LF of a fold, which the line scan has checked. */
export const WHITE = 256;
/** The value of a header parameter without quotes: gen-value, and what is odd but harms nobody. */
export const VALUE = 512;
/** Visible ASCII. */
export const VISIBLE = 1024;
/** uric of absolute URIs, without "%". */
export const URIC = 2048;
/** Display name without quotes: token, and (odd, but widespread) UTF-8. */
export const DISPLAY = 4096;
export const ALPHA = 8192;
/** Capital letters. */
export const UPPER = 16384;
/** Visible ASCII and space, but what escapes in a quoted string. */
export const PLAIN = 32768;
/** The dot between labels. */
export const DOT = 65536;

/** The classes of each byte, as bits. */
export const classes: Int32Array = new Int32Array(256);

function mark(bit: number, characters: string): void {
  for (let i = 0; i < characters.length; i++) {
    const code = characters.charCodeAt(i);
    classes[code] = classes[code]! | bit;
  }
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
const alphanum = letters + digits;
const unreserved = `${alphanum}-_.!~*'()`;
for (let code = SPACE; code < 127; code++) if (code !== BACKSLASH) mark(PLAIN, String.fromCharCode(code));
mark(ALPHA, letters);
mark(DIGIT, digits);
mark(UPPER, letters.slice(26));
mark(HEX, `${digits}abcdefABCDEF`);
mark(TOKEN | DISPLAY, `${alphanum}-.!%*_+\`'~`);
// Laxer than §25.1: "#" is dialled (feature codes) and many phones do not escape it.
mark(USER, `${unreserved}&=+$,;?/#`);
mark(PASSWORD, `${unreserved}&=+$,`);
// Laxer than §25.1: a second "=" in a parameter's value.
mark(URI_PARAM, `${unreserved}[]/:&+$=`);
mark(URI_HEADER, `${unreserved}[]/?:+$`);
// Laxer than §25.1: "_" in host names, as container networks have them.
mark(HOST, `${alphanum}-._`);
mark(DOT, ".");
mark(WHITE, " \t\r\n");
mark(VALUE, `${alphanum}-.!%*_+\`'~[]:/=(){}&$#^|`);
mark(URIC, `${unreserved};/?:@&=+$,#[]`);
for (let code = 0x21; code < 0x7f; code++) classes[code] = classes[code]! | VISIBLE;
for (let code = 0x80; code < 0x100; code++) classes[code] = classes[code]! | DISPLAY;
