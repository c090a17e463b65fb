/** What the application uses of rooms. */

export { MeshClient, type MeshOptions } from "./api/mesh/join.js";
export { Mesh, type MeshEmits, type MeshEvent, type MeshEventMap, type MeshMember } from "./api/mesh.js";
export { RequestMany, type MemberReply } from "./api/mesh/broadcast.js";
