//! See [`socketio_p2p_protocol_fuzz::broker`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio_p2p_protocol_fuzz::broker::run(data));
