//! The ICE servers of a client.

/// Addresses of ICE servers that a client uses; further ones are left out. Each costs a lookup, and a request from
/// each local address.
pub const ICE_URLS: usize = 16;
