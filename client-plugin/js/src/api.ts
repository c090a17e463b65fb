/** What the application uses. */

export type { Consent, OnChannel, OnRegister, PairingRequest } from "./actor.js";
export type { FallbackHandler, Handler, Incoming } from "./actor/handler-tasks.js";
export { P2pClient, type RegisterSettings, type RequestSettings } from "./api/client.js";
export type { ConnectSettings, Target } from "./api/connect.js";
export type { EmitSettings, Replied, Reply } from "./api/emit2.js";
export { ConnectError, EmitError, HandlerError, P2pError, RequestError } from "./api/error.js";
export type { EventMap, EventOf, EventReader, P2pEvent, Read } from "./api/events.js";
export { TargetWatch } from "./api/target-watch.js";
export { values, Values } from "./api/values.js";
export type { ChannelSettings } from "./direct/channels.js";
export type { Bytes, ChannelMessage } from "./direct/raw-channel.js";
export type { Path } from "./error.js";
export type { ChannelEnd } from "./peer/channel.js";
export type { IceServer, IceServers } from "./partner/driver.js";
export type { Auth } from "./server/auth.js";
export type { ClientEntry, ClientState, PairingInfo, Presence, TargetState } from "./wire/control/welcome.js";
export type { Label } from "./wire/label.js";
