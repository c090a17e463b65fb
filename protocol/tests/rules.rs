//! The rules of PROTOCOL.md, a sentence a test.

mod arguments;
mod broker_away;
mod broker_connections;
mod broker_crossing;
mod broker_ending;
mod broker_granting;
mod broker_model;
mod broker_registering;
mod broker_v1;
mod endpoint_connection;
mod endpoint_emits;
mod endpoint_requests;
mod endpoint_resuming;
mod endpoints;
mod frames;
mod golden;
mod scenario;
mod session_model;
mod session_order;
mod session_outcomes;
mod session_window;
mod sessions;
mod specification;
mod wires;
mod world;
