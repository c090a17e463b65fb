//! The texts and codes of errors.

use socketio_p2p_protocol::EndReason;

use super::*;
use crate::api::args;

#[test]
fn an_error_tells_its_reason_in_one_line_and_once() {
    let io = std::io::Error::other("connection refused");
    let transport = ConnectError::Transport(Box::new(io.into()));
    let too_large = Cause::TooLarge { bytes: 2_097_156, limit: 1_048_576 };
    let mismatch = args::decode::<u8>(&args::encode("text").unwrap()).unwrap_err();
    let errors: [(&dyn Error, &str); 11] = [
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
            &RegisterError::Refused(Code::TargetBusy.into()),
            "the registration was refused: the target is already paired (target-busy)",
        ),
        (
            &RequestError::Refused(Code::Forbidden.into()),
            "the request was refused: the server does not allow that (forbidden)",
        ),
        (
            &WatchError::Refused(Code::Forbidden.into()),
            "the watch was refused: the server does not allow that (forbidden)",
        ),
        (
            &EmitError::NotExecuted(too_large),
            "not executed: the arguments have 2097156 bytes, and 1048576 are allowed",
        ),
        (
            &EmitError::Failed(Refusal::new(Code::HandlerFailed, "disk on fire")),
            "the partner's handler failed: disk on fire (handler-failed)",
        ),
        (
            &EmitError::Reply(mismatch),
            "the reply does not match the type: args[0]: invalid type: string \"text\", expected u8",
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
    let offline = RegisterError::Refused(Code::Offline.into());
    assert_eq!((offline.code(), offline.is_retryable()), ("offline", true));
    let late = RequestError::Timeout(Duration::ZERO);
    assert_eq!((late.code(), late.is_retryable()), ("timeout", true));
    let expired = EmitError::NotExecuted(Cause::Code(Code::Expired));
    assert_eq!((expired.code(), expired.is_retryable()), ("expired", true));
    let ended = EmitError::NotExecuted(Cause::Ended(EndReason::Kicked));
    assert_eq!((ended.code(), ended.is_retryable()), ("kicked", false));
    let unknown = EmitError::Unknown(Cause::Code(Code::Timeout));
    assert_eq!((unknown.code(), unknown.is_retryable()), ("timeout", false));
}
