// What each code is called and means, why it was sent and what to check, in 繁體中文 as used in Taiwan.
import type { TranslatedTexts } from "../code-text.ts";
import { provisionalAndSuccess } from "./1xx-2xx.ts";
import { redirection } from "./3xx.ts";
import { serverAndGlobalFailure } from "./5xx-6xx.ts";
import { requestFailure } from "./400-425.ts";
import { identityAndStateFailure } from "./428-494.ts";

export const zhTw: TranslatedTexts = {
  ...provisionalAndSuccess,
  ...redirection,
  ...requestFailure,
  ...identityAndStateFailure,
  ...serverAndGlobalFailure,
};
