// Dialogs: RFC 3261 §12.
export { contentHeaders, Dialog, type DialogFields, type DialogState, type RouteEntry } from "./dialog.ts";
export { type DialogOwner, Dialogs } from "./dialogs.ts";
export type { AlternativeBody, RequestContent, RequestPlan } from "./request-plan.ts";
