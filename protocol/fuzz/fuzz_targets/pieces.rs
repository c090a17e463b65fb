//! See [`socketio_p2p_protocol_fuzz::pieces`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio_p2p_protocol_fuzz::pieces::run(data));
