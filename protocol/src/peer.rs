//! One end of one pairing: its session, the paths that carry it, and how a direct path comes about.
//!
//! | module | subject |
//! |---|---|
//! | [`session`] | order, window, replies and outcomes, above whatever path carries them |

pub mod session;
