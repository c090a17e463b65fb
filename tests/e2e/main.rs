//! End-to-end stories over real sockets: clients of `socketio_p2p_client`, and bare websockets,
//! against the plugin in an axum server.
//!
//! They prove the adapters; the rules themselves are proven in `protocol/tests`.

mod support;

mod blobs;
mod calls;
mod connecting;
mod crossing;
mod direct;
mod events;
mod handlers;
mod hooks;
mod host;
mod http_edge;
mod ice_servers;
mod idle;
mod leaving;
mod limits;
mod lines;
mod mesh;
mod operator;
mod order;
mod outside;
mod own_handler;
mod pairing;
mod processes;
mod queues;
mod reaching;
mod reassertion;
mod resuming;
mod retrying;
mod settings;
mod shutdown;
mod signals;
mod silence;
mod slow_links;
mod third_party;
mod turn;
mod udp_weather;
mod watching;
mod window;

mod bad_arguments;
mod bad_corpus;
mod bad_emits;
mod bad_frames;
mod bad_ids;
mod bad_packets;
mod bad_partner;
mod bad_polling;
mod bad_sizes;
