//! See [`socketio_p2p_protocol_fuzz::session`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio_p2p_protocol_fuzz::session::run(data));
