// What the command line needs of this floor and programs do not.
export { objectAddressText, parseObjectAddress } from "./address.ts";
// What the floors of data need besides: objects that are read in ranges, each in one version.
export type { ObjectEntry } from "./contract.ts";
export { explainResponse, ResponseError } from "./http/response-error.ts";
export { compareKeys } from "./list/key-order.ts";
export {
  isChangedObject,
  openRangedUrl,
  openRemoteBucket,
  openWebObject,
  type RangedObject,
  type RemoteBucket,
  type RemoteObject,
} from "./remote-object.ts";
