// The texts: complete in every language, alike in structure and facts, and in the Chinese of Taiwan.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { catalogue } from "../catalogue.ts";
import { type CodeText, type Language, languages, loadTexts } from "./index.ts";
import { zhTw } from "./zh-tw/index.ts";

const texts = Object.fromEntries(
  await Promise.all(languages.map(async (language) => [language, await loadTexts(language)] as const)),
) as Record<Language, Awaited<ReturnType<typeof loadTexts>>>;

const linesOf = ({ name, meaning, causes, checks }: CodeText): readonly string[] => [
  ...(name === undefined ? [] : [name]),
  meaning,
  ...causes,
  ...checks,
];

/** Every line of a language, with the code that it belongs to. */
const everyLine = (language: Language): [code: number, line: string][] =>
  catalogue.flatMap(({ code }) =>
    linesOf(texts[language][code]).map((line): [number, string] => [code, line]),
  );

for (const language of languages) {
  test(`${language}, every code of the catalogue once, each in one file`, async () => {
    const folder = new URL(`./${language.toLowerCase()}/`, import.meta.url);
    const files = readdirSync(folder).filter((file) => file !== "index.ts");
    const parts = await Promise.all(
      files.map(async (file) => Object.values((await import(new URL(file, folder).href)) as object)),
    );
    const codes = parts.flat().flatMap((part) => Object.keys(part as object).map(Number));
    assert.deepEqual(
      codes.sort((a, b) => a - b),
      catalogue.map((facts) => facts.code),
    );
    assert.equal(Object.keys(texts[language]).length, catalogue.length);
  });

  test(`${language}, each text, short sentences for the meaning and items without a full stop`, () => {
    // In columns of a terminal, where a Han character takes two.
    const [longestMeaning, longestItem] = language === "en" ? [190, 125] : [140, 110];
    const columns = (line: string) => line.length + (line.match(/[^\x20-\x7e]/g)?.length ?? 0);
    for (const { code } of catalogue) {
      const { meaning, causes, checks } = texts[language][code];
      assert.match(meaning, /^\S.*[.。]$/, `${code}`);
      assert.ok(columns(meaning) <= longestMeaning, `${code}: ${columns(meaning)} columns, ${meaning}`);
      assert.ok((meaning.match(/[.。]( |$)|。/g)?.length ?? 0) <= 2, `${code}: more than two sentences`);
      for (const items of [causes, checks]) {
        assert.ok(items.length >= 2 && items.length <= 4, `${code}: ${items.length} items`);
        for (const item of items) {
          assert.match(item, /^\S.*[^\s.。]$/, `${code}`);
          assert.ok(columns(item) <= longestItem, `${code}: ${columns(item)} columns, ${item}`);
        }
      }
    }
  });

  test(`${language}, no line said of two codes, nor twice of one`, () => {
    const seen = new Map<string, number>();
    for (const [code, line] of everyLine(language)) {
      assert.equal(seen.get(line), undefined, `${code} and ${seen.get(line)}: ${line}`);
      seen.set(line, code);
    }
  });

  test(`${language}, headers that guide the caller's next step, named in the text of the code`, () => {
    for (const facts of catalogue) {
      const all = linesOf(texts[language][facts.code]).join("\n");
      for (const header of facts.guidedBy ?? []) assert.ok(all.includes(header), `${facts.code}: ${header}`);
    }
  });
}

// Headers that the facts name, and others that the texts do.
const headerNames = new Set([
  ...catalogue.flatMap(({ headers, guidedBy = [] }) => [
    ...guidedBy,
    ...[...(headers.must ?? []), ...(headers.should ?? []), ...(headers.may ?? [])],
    ...(headers.mustWhen ?? []).map(({ header }) => header),
  ]),
  ...`Accept Authorization Call-ID Call-Info Content-Encoding Content-ID Content-Language Content-Length Content-Type
  CSeq Date Event Flow-Timer From Geolocation Geolocation-Routing History-Info Identity Info-Package Max-Breadth
  Max-Forwards Path Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require Referred-By Request-URI
  Resource-Priority Route RSeq Security-Client Security-Verify Server Session-Expires SIP-If-Match Supported
  Suppress-If-Match To Via WWW-Authenticate`.split(/\s+/),
]);

// Names of headers, numbers of codes and RFCs: what both languages must say of one code.
function factsIn(text: CodeText): string[] {
  const all = linesOf(text).join("\n");
  const headers = (all.match(/[A-Z][A-Za-z]*(-[A-Za-z]+)+/g) ?? []).filter((word) => headerNames.has(word));
  const numbers = all.match(/(?<![\d.])\d{2,}(?!\d)/g) ?? [];
  const upper = all.match(/\b[A-Z]{3,}\b/g) ?? [];
  return [...new Set([...headers, ...numbers, ...upper])].sort();
}

for (const { code, phrase } of catalogue) {
  test(`${code} ${phrase}, the same structure, headers, numbers and methods in both languages`, () => {
    const { en, "zh-TW": zh } = texts;
    assert.equal(zh[code].causes.length, en[code].causes.length);
    assert.equal(zh[code].checks.length, en[code].checks.length);
    assert.deepEqual(factsIn(zh[code]), factsIn(en[code]));
  });
}

test("en, all in ASCII but for the ellipsis", () => {
  for (const [code, line] of everyLine("en")) assert.match(line, /^[\x20-\x7e…]+$/, `${code}`);
});

// What stays as it is on the wire or in every engineer's mouth; any other Latin word would be left-over English.
const latin = new Set(
  `ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE re-INVITE
  SIP SIP/2.0 URI Request-URI DNS SRV NAT ALG TCP UDP TLS IP IPv4 IPv6 CA RFC PBX SBC IMS STIR CAP LDAP RADIUS ENUM
  SRTP RTP/AVP RTP/SAVP SDP ISUP QSIG S/MIME G.711 T.38 CRLF STUN MD5 SHA-256 ES256 TNAuthList App curl
  tag rport scheme realm nonce stale=true presence action proxy redirect q expires offer m= a=des mandatory optional
  bearer flow outbound ob ppt cid info orig dest fingerprint cause=200 pn-provider handling=optional 100rel entity
  session timer application/sdp sip: sips: tel: im: pres: user=phone sip:number domain resource-priority Info Contact:`.split(
    /\s+/,
  ),
);
test("zh-TW, no English left over: every Latin word is a name from SIP or the trade", () => {
  const known = new Set([...latin, ...headerNames]);
  for (const [code, line] of everyLine("zh-TW")) {
    assert.match(line, /\p{Script=Han}/u, `${code}`);
    for (const [word] of line.matchAll(/[A-Za-z0-9][A-Za-z0-9./=:-]*/g)) {
      const isKnown = known.has(word) || /^[\d.]+$/.test(word) || known.has(word.replace(/:$/, ""));
      assert.ok(isKnown, `${code}: "${word}" in ${line}`);
    }
  }
});

test("zh-TW, every Han character of Big5's first level: none of the simplified forms", () => {
  const decoder = new TextDecoder("big5");
  const big5 = new Set<string>();
  // Its first level, the 5401 characters in daily use: further up, some simplified forms occur as rare variants.
  for (let lead = 0xa4; lead <= 0xc6; lead++) {
    for (let trail = 0x40; trail <= 0xfe; trail++) big5.add(decoder.decode(Uint8Array.of(lead, trail)));
  }
  assert.ok(big5.has("網") && !big5.has("网") && !big5.has("务"));
  for (const [code, line] of everyLine("zh-TW")) {
    for (const [character] of line.matchAll(/\p{Script=Han}/gu)) {
      assert.ok(big5.has(character), `${code}: ${character} in ${line}`);
    }
  }
});

// Words of other places with what Taiwan says.
const foreign: readonly [found: RegExp, taiwan: string][] = [
  [/服務器/, "伺服器"],
  [/網絡/, "網路"],
  [/信息|消息/, "訊息"],
  [/響應/, "回應"],
  [/用戶(?!端)/, "使用者"],
  [/客戶端/, "用戶端"],
  [/證書/, "憑證"],
  [/超時/, "逾時"],
  [/呼叫轉移|呼轉/, "轉接"],
  [/代理服務/, "代理伺服器"],
  [/網關/, "閘道"],
  [/默認|缺省/, "預設"],
  [/支持/, "支援"],
  [/軟件|硬件|固件/, "軟體、硬體、韌體"],
  [/程序/, "程式"],
  [/數據/, "資料"],
  [/端口/, "連接埠"],
  [/接口/, "介面"],
  [/域名/, "網域名稱"],
  [/地址/, "位址"],
  [/緩存/, "快取"],
  [/登錄|賬號|賬戶/, "登入、帳號"],
  [/日誌/, "記錄"],
  [/視頻|音頻/, "視訊、音訊"],
  [/質量/, "品質"],
  [/隊列/, "佇列"],
  [/字符|字節|字段/, "字元、位元組、欄位"],
  [/重定向/, "重新導向"],
  [/短信/, "簡訊"],
  [/運營商|服務商/, "電信業者"],
  [/激活|註銷|刷新/, "啟用、登出、更新"],
  [/帶寬|丟包|數據包/, "頻寬、封包遺失"],
  [/兼容|優化|調用|函數|對象|加載/, "相容、最佳化、呼叫、函式、物件、載入"],
  [/令牌|密鑰|口令|鑒權/, "權杖、金鑰、密碼、驗證"],
  [/主叫|被叫/, "發話方、受話方"],
  [/會話/, "工作階段、通話"],
  [/推送/, "推播"],
  [/屏蔽|黑名單/, "封鎖、封鎖清單"],
  [/集群|負載均衡/, "叢集、負載平衡"],
  [/頭域|頭部|包頭/, "標頭"],
];

test("zh-TW, the words of Taiwan", () => {
  for (const [code, line] of everyLine("zh-TW")) {
    for (const [found, taiwan] of foreign) assert.doesNotMatch(line, found, `${code}: write ${taiwan}`);
  }
});

test("zh-TW, full-width punctuation, and a space between Han and Latin", () => {
  for (const [code, line] of everyLine("zh-TW")) {
    assert.doesNotMatch(line, /\p{Script=Han}[,;:!?()]|[,;!?()]\p{Script=Han}/u, `${code}`);
    assert.doesNotMatch(line, /\p{Script=Han}[A-Za-z0-9]|[A-Za-z0-9]\p{Script=Han}/u, `${code}`);
    assert.doesNotMatch(line, / [，。、：；？！（）「」]|[，。、：；？！（）「」] /, `${code}`);
  }
});

test("zh-TW, every name differs and is a name, not a sentence", () => {
  assert.equal(new Set(catalogue.map(({ code }) => zhTw[code].name)).size, catalogue.length);
  for (const { code } of catalogue) assert.match(zhTw[code].name, /^[^。，]{2,24}$/, `${code}`);
});

test("the facts, loaded without any text", () => {
  const folder = new URL("../", import.meta.url);
  for (const file of readdirSync(folder, { recursive: true }).map(String)) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts") || file.startsWith("text")) continue;
    assert.doesNotMatch(readFileSync(new URL(file, folder), "utf8"), /from "[./]+text\//, file);
  }
});
