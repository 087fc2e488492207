// The registrar and the location service, RFC 3261 §10.3.

export { detachText } from "../message/own-text.ts";
export {
  type Binding,
  type BindingChange,
  type ChangePlan,
  type ChangeRefusal,
  type ContactChange,
  equalContact,
  planChange,
  type ReceivedFrom,
  type WhenFull,
} from "./binding.ts";
export {
  type LocationObserver,
  type LocationService,
  type LocationServiceOptions,
  MemoryLocationService,
  type UpdateResult,
} from "./location-service.ts";
export { Registrar, type RegistrarAuthentication, type RegistrarOptions } from "./registrar.ts";
