//! The texts and codes of errors.

use socketio_p2p_protocol::{Cause, EndReason};

use super::*;
use crate::api::args;

#[test]
fn an_error_tells_its_reason_in_one_line_and_once() {
    let io = std::io::Error::other("connection refused");
    let transport = ConnectError::Transport(Box::new(io.into()));
    let too_large = Cause::TooLarge { bytes: 2_097_156, limit: 1_048_576 };
    let mismatch = args::decode::<u8>(&args::encode("text").unwrap()).unwrap_err();
    let on_fire = Refusal::new(Code::HandlerFailed, "disk on fire");
    let errors: [(&dyn Error, &str); 16] = [
        (&ConnectError::Id(ClientIdError::Empty), "a client id must not be empty"),
        (&transport, "no connection to the server: Got an IO-Error: connection refused"),
        (
            &ConnectError::Refused(Code::DuplicateId),
            "the server refused the connection: the client id is in use (duplicate-id)",
        ),
        (
            &ConnectError::Timeout(Duration::from_secs(10)),
            "no welcome within 10s: the server is slow or silent, or its P2P plugin is not attached to this namespace",
        ),
        (
            &ConnectError::SingleBuilder,
            "a single builder of rust_socketio connects once: retry_connect needs a URL or a recipe",
        ),
        (
            &RegisterError::Refused { target: "B".into(), refusal: Code::TargetBusy.into() },
            r#"the registration with "B" was refused: the target is already paired (target-busy)"#,
        ),
        (
            &RegisterError::Target { target: "".into(), reason: ClientIdError::Empty },
            r#"the target "": a client id must not be empty"#,
        ),
        (
            &RegisterError::Timeout { target: "B".into(), after: Duration::from_secs(2) },
            r#"no answer to the registration with "B" within 2s"#,
        ),
        (
            &RegisterError::Closed { target: "B".into() },
            r#"no registration with "B": the client is closed"#,
        ),
        (
            &RequestError::Refused(Code::Forbidden.into()),
            "the request was refused: the server does not allow that (forbidden)",
        ),
        (
            &WatchError::Refused { target: "B".into(), refusal: Code::Forbidden.into() },
            r#"the watch of "B" was refused: the server does not allow that (forbidden)"#,
        ),
        (
            &EmitError::NotExecuted { event: "put".into(), cause: too_large },
            r#""put" was not executed: the arguments have 2097156 bytes, and 1048576 are allowed (too-large)"#,
        ),
        (
            &EmitError::NotExecuted { event: "put".into(), cause: Cause::Code(Code::Unhandled) },
            r#""put" was not executed: the partner has no handler for that event (unhandled)"#,
        ),
        (
            &EmitError::Unknown { event: "put".into(), cause: Cause::Ended(EndReason::Kicked) },
            r#"the outcome of "put" is unknown: the pairing ended: kicked"#,
        ),
        (
            &EmitError::Failed { event: "put".into(), refusal: on_fire },
            r#"the partner's handler of "put" failed: disk on fire (handler-failed)"#,
        ),
        (
            &EmitError::Reply { event: "put".into(), reason: mismatch },
            r#"the reply to "put" does not match the type: args[0]: invalid type: string "text", expected u8"#,
        ),
    ];

    for (error, line) in errors {
        assert_eq!(error.to_string(), line);
        assert!(error.source().is_none(), "{line}");
    }
}

#[test]
fn an_error_tells_its_code_and_whether_to_try_again() {
    let quota = ConnectError::Refused(Code::Quota);
    assert_eq!((quota.code(), quota.is_retryable()), ("quota", true));
    assert_eq!((ConnectError::Auth.code(), ConnectError::Auth.is_retryable()), ("bad-args", false));
    let offline = RegisterError::Refused { target: "B".into(), refusal: Code::Offline.into() };
    assert_eq!((offline.code(), offline.is_retryable()), ("offline", true));
    let late = RequestError::Timeout(Duration::ZERO);
    assert_eq!((late.code(), late.is_retryable()), ("timeout", true));
    let expired = EmitError::NotExecuted { event: "e".into(), cause: Cause::Code(Code::Expired) };
    assert_eq!((expired.code(), expired.is_retryable()), ("expired", true));
    let ended =
        EmitError::NotExecuted { event: "e".into(), cause: Cause::Ended(EndReason::Kicked) };
    assert_eq!((ended.code(), ended.is_retryable()), ("kicked", false));
    let unknown = EmitError::Unknown { event: "e".into(), cause: Cause::Code(Code::Timeout) };
    assert_eq!((unknown.code(), unknown.is_retryable()), ("timeout", false));
}

#[test]
fn an_error_names_what_it_is_about() {
    let refused = RegisterError::Refused { target: "B".into(), refusal: Code::Offline.into() };
    assert_eq!(refused.target(), "B");
    let closed = WatchError::Closed { target: "B".into() };
    assert_eq!(closed.target(), "B");
    let late = EmitError::Unknown { event: "put".into(), cause: Cause::Code(Code::Timeout) };
    assert_eq!(late.event(), "put");
}

/// Each error of this module that holds a name or a text that a peer chose.
fn errors_with(hostile: &str) -> Vec<Box<dyn Error>> {
    let name = || hostile.into();
    let refusal = || Refusal { code: Code::HandlerFailed, message: hostile.to_owned().into() };
    let reason = || args::decode::<std::net::IpAddr>(&args::encode(hostile).unwrap()).unwrap_err();
    let cause = Cause::Code(Code::Closed);
    vec![
        Box::new(ConnectError::NoAuth(hostile.to_owned())),
        Box::new(ConnectError::Unreachable(hostile.to_owned())),
        Box::new(ConnectError::Rejected(hostile.to_owned())),
        Box::new(ConnectError::Transport(Box::new(std::io::Error::other(hostile).into()))),
        Box::new(RegisterError::Target { target: name(), reason: ClientIdError::TooLong }),
        Box::new(RegisterError::Refused { target: name(), refusal: refusal() }),
        Box::new(RegisterError::Timeout { target: name(), after: Duration::ZERO }),
        Box::new(RegisterError::Closed { target: name() }),
        Box::new(RequestError::Refused(refusal())),
        Box::new(WatchError::Target { target: name(), reason: ClientIdError::TooLong }),
        Box::new(WatchError::Refused { target: name(), refusal: refusal() }),
        Box::new(WatchError::Timeout { target: name(), after: Duration::ZERO }),
        Box::new(WatchError::Closed { target: name() }),
        Box::new(EmitError::Args { event: name(), reason: reason() }),
        Box::new(EmitError::NotExecuted { event: name(), cause }),
        Box::new(EmitError::Unknown { event: name(), cause }),
        Box::new(EmitError::Failed { event: name(), refusal: refusal() }),
        Box::new(EmitError::Reply { event: name(), reason: reason() }),
    ]
}

#[test]
fn an_error_is_one_short_line_whatever_a_name_or_a_text_holds() {
    for char in ['\n', '\r', '\u{1b}', '\u{85}', '\u{202e}', '\u{2066}', '\u{2028}'] {
        for error in errors_with(&format!("{char}{}", "é".repeat(100_000))) {
            let line = error.to_string();
            assert!(!line.contains(char), "{line:?}");
            assert!(line.len() < 2_000, "{}: {error:?}", line.len());
        }
    }
}
