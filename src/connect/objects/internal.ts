// What the command line needs of this floor and programs do not.
export { objectAddressText, parseObjectAddress } from "./address.ts";
