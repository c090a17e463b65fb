//! See [`socketio_p2p_protocol_fuzz::resume_token`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio_p2p_protocol_fuzz::resume_token::run(data));
