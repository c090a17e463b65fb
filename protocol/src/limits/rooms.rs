//! Limits on rooms.

/// Members of a room, if those who join it want no fewer, as a client proposes by default. Ten clients have 45
/// pairings, and each of them nine.
pub const MESH_MEMBERS: usize = 10;

/// The most members of a room. Each has a pairing with each other one, so a room takes memory at the server with the
/// square of its members: about 500 bytes a pairing, 250 KiB for 32 members. A client that joins costs a message to
/// each of them.
pub const ROOM_MEMBERS: usize = 32;

/// Rooms of one client at once. With [`ROOM_MEMBERS`] that is 248 pairings, fewer than a welcome has room for in
/// [`CONNECTION_MESSAGE_BYTES`](super::CONNECTION_MESSAGE_BYTES), however long the ids are.
pub const ROOMS_OF_CLIENT: usize = 8;

/// Rooms of a server at once. Each has a member at least, so clients alone would allow eight times
/// [`CLIENTS`](super::CLIENTS).
pub const ROOMS: usize = 100_000;

/// Rooms that a client may join in [`REQUEST_PERIOD`](super::REQUEST_PERIOD): all of its rooms, and again after the
/// server has forgotten them.
pub const JOINS: u32 = 16;
