//! PROTOCOL.md names every code, reason, event and limit, and the right numbers.

use std::{collections::BTreeMap, time::Duration};

use socketio_p2p_protocol::{Code, EndReason, limits, wire};

const TEXT: &str = include_str!("../PROTOCOL.md");

/// The rows of all tables with this many columns whose first cell is a single name: the other
/// cells by that name.
fn rows(columns: usize) -> BTreeMap<String, Vec<String>> {
    let lines = TEXT.lines().filter_map(|line| line.strip_prefix("| `"));
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once("` |")?;
            let cells = rest.split('|').map(|cell| cell.trim().to_owned());
            Some((name.to_owned(), cells.collect::<Vec<_>>()))
        })
        .filter(|(_, cells)| cells.len() == columns)
        .collect()
}

fn bytes(value: usize) -> String {
    const MIB: usize = 1024 * 1024;
    match value {
        MIB.. if value.is_multiple_of(MIB) => format!("{} MiB", value / MIB),
        1024.. if value.is_multiple_of(1024) => format!("{} KiB", value / 1024),
        _ => format!("{value} bytes"),
    }
}

fn time(value: Duration) -> String {
    match value.as_millis() {
        ms if ms < 1000 || ms % 1000 > 0 => format!("{ms} ms"),
        ms if ms < 120_000 => format!("{} s", ms / 1000),
        ms if ms < 86_400_000 => format!("{} min", ms / 60_000),
        ms => format!("{} years", ms / 86_400_000 / 365),
    }
}

#[test]
fn the_table_of_limits_agrees_with_the_constants() {
    let limits = [
        ("CLIENT_ID_BYTES", bytes(limits::CLIENT_ID_BYTES)),
        ("EVENT_NAME_BYTES", bytes(limits::EVENT_NAME_BYTES)),
        ("MESSAGE_BYTES", bytes(limits::MESSAGE_BYTES)),
        ("LABEL_BYTES", bytes(limits::LABEL_BYTES)),
        ("CONNECTION_MESSAGE_BYTES", bytes(limits::CONNECTION_MESSAGE_BYTES)),
        ("SKIPPED_BYTES", bytes(limits::SKIPPED_BYTES as usize)),
        ("RELAYED_FRAME_BYTES", bytes(limits::RELAYED_FRAME_BYTES)),
        ("SIGNAL_BYTES", bytes(limits::SIGNAL_BYTES)),
        ("REGISTER_PAYLOAD_BYTES", bytes(limits::REGISTER_PAYLOAD_BYTES)),
        ("JSON_DEPTH", limits::JSON_DEPTH.to_string()),
        ("INBOX_REQUESTS", limits::INBOX_REQUESTS.to_string()),
        ("V1_QUESTIONS", limits::V1_QUESTIONS.to_string()),
        ("QUESTIONS", limits::QUESTIONS.to_string()),
        ("HANDLERS", limits::HANDLERS.to_string()),
        ("QUEUE_PACKETS", limits::QUEUE_PACKETS.to_string()),
        ("V1_ATTACHMENTS", limits::V1_ATTACHMENTS.to_string()),
        ("ATTACHMENTS", limits::ATTACHMENTS.to_string()),
        ("CONSENT_TIME", time(limits::CONSENT_TIME)),
        ("CONSENT_TIME_MAX", time(limits::CONSENT_TIME_MAX)),
        ("GRANT_TIMEOUT", time(limits::GRANT_TIMEOUT)),
        ("VERDICT_SLACK", time(limits::VERDICT_SLACK)),
        ("REPETITIONS", limits::REPETITIONS.to_string()),
        ("RELEASE_TIMEOUT", time(limits::RELEASE_TIMEOUT)),
        ("LATE_ANSWER_TIME", time(limits::LATE_ANSWER_TIME)),
        ("TOLD_TIME", time(limits::TOLD_TIME)),
        ("DEPARTED_V1_TIME", time(limits::DEPARTED_V1_TIME)),
        ("DEPARTED_V1", limits::DEPARTED_V1.to_string()),
        ("ID_WAIT", time(limits::ID_WAIT)),
        ("ID_ASK_AGAIN", time(limits::ID_ASK_AGAIN)),
        ("ID_WAIT_STEP", time(limits::ID_WAIT_STEP)),
        ("GRACE", time(limits::GRACE)),
        ("CLIENTS", limits::CLIENTS.to_string()),
        ("RESERVED_TIME", time(limits::RESERVED_TIME)),
        ("LINE_LENGTH", limits::LINE_LENGTH.to_string()),
        ("LINE_INTERVAL", time(limits::LINE_INTERVAL)),
        ("LINE_TIME", time(limits::LINE_TIME)),
        ("LINE_TIME_MAX", time(limits::LINE_TIME_MAX)),
        ("WATCHES", limits::WATCHES.to_string()),
        ("WATCHERS", limits::WATCHERS.to_string()),
        ("WATCH_INTERVAL", time(limits::WATCH_INTERVAL)),
        ("MESH_MEMBERS", limits::MESH_MEMBERS.to_string()),
        ("ROOM_MEMBERS", limits::ROOM_MEMBERS.to_string()),
        ("ROOMS_OF_CLIENT", limits::ROOMS_OF_CLIENT.to_string()),
        ("ROOMS", limits::ROOMS.to_string()),
        ("JOINS", limits::JOINS.to_string()),
        ("MESSAGE_RATE", limits::MESSAGE_RATE.to_string()),
        ("MESSAGE_BURST", limits::MESSAGE_BURST.to_string()),
        ("BYTE_RATE", bytes(limits::BYTE_RATE as usize)),
        ("BYTE_BURST", bytes(limits::BYTE_BURST as usize)),
        ("REQUEST_PERIOD", time(limits::REQUEST_PERIOD)),
        ("REGISTRATIONS", limits::REGISTRATIONS.to_string()),
        ("LISTS", limits::LISTS.to_string()),
        ("LISTED_CLIENTS", limits::LISTED_CLIENTS.to_string()),
        ("STRIKES", limits::STRIKES.to_string()),
        ("STRIKES_FORGIVEN", limits::STRIKES_FORGIVEN.to_string()),
        ("QUEUE_SOFT_BYTES", bytes(limits::QUEUE_SOFT_BYTES)),
        ("V1_QUEUE_BYTES", bytes(limits::V1_QUEUE_BYTES)),
        ("UNSENT_BYTES", bytes(limits::UNSENT_BYTES)),
        ("QUEUE_HARD_BYTES", bytes(limits::QUEUE_HARD_BYTES)),
        ("UNMETERED_RATE", bytes(limits::UNMETERED_RATE)),
        ("SERVER_PING_INTERVAL", time(limits::SERVER_PING_INTERVAL)),
        ("SERVER_PING_TIMEOUT", time(limits::SERVER_PING_TIMEOUT)),
        ("SILENCE", time(limits::SILENCE)),
        ("SLOWEST_RATE", limits::SLOWEST_RATE.to_string()),
        ("WINDOW_FRAMES", limits::WINDOW_FRAMES.to_string()),
        ("WINDOW_BYTES", bytes(limits::WINDOW_BYTES)),
        ("CHUNK_BYTES", bytes(limits::CHUNK_BYTES)),
        ("PARTS_UNDER_WAY", limits::PARTS_UNDER_WAY.to_string()),
        ("VALUE_BYTES", bytes(limits::VALUE_BYTES)),
        ("PENDING_CALLS", limits::PENDING_CALLS.to_string()),
        ("BACKLOG_BYTES", bytes(limits::BACKLOG_BYTES)),
        ("BACKLOG_OWING_BYTES", bytes(limits::BACKLOG_OWING_BYTES)),
        ("BACKLOG_EMIT_BYTES", limits::BACKLOG_EMIT_BYTES.to_string()),
        ("BACKLOG_EMITS_MAX", limits::BACKLOG_EMITS_MAX.to_string()),
        ("BACKLOG_BYTES_MAX", bytes(limits::BACKLOG_BYTES_MAX)),
        ("V1_WINDOW_BYTES", bytes(limits::V1_WINDOW_BYTES)),
        ("V1_CALL_TIMEOUT", time(limits::V1_CALL_TIMEOUT)),
        ("V1_LEAVE_TIME", time(limits::V1_LEAVE_TIME)),
        ("HELD_REQUESTS", limits::HELD_REQUESTS.to_string()),
        ("RETRY_DELAY", time(limits::RETRY_DELAY)),
        ("BATCH_FRAMES", limits::BATCH_FRAMES.to_string()),
        ("BATCH_BYTES", bytes(limits::BATCH_BYTES)),
        ("ACK_EVERY", limits::ACK_EVERY.to_string()),
        ("ACK_DELAY", time(limits::ACK_DELAY)),
        ("RESEND_DELAY", time(limits::RESEND_DELAY)),
        ("RESEND_DELAY_MAX", time(limits::RESEND_DELAY_MAX)),
        ("CALL_TIMEOUT", time(limits::CALL_TIMEOUT)),
        ("REQUEST_TIMEOUT", time(limits::REQUEST_TIMEOUT)),
        ("CONFIRM_TIMEOUT", time(limits::CONFIRM_TIMEOUT)),
        ("SETTING_MIN", time(limits::SETTING_MIN)),
        ("SETTING_MAX", time(limits::SETTING_MAX)),
        ("REGISTER_RETRY_MIN", time(limits::REGISTER_RETRY_MIN)),
        ("REGISTER_RETRY_MAX", time(limits::REGISTER_RETRY_MAX)),
        ("CONNECT_TIMEOUT", time(limits::CONNECT_TIMEOUT)),
        ("LIFE_TIMEOUT", time(limits::LIFE_TIMEOUT)),
        ("BACKOFF_MIN", time(limits::BACKOFF_MIN)),
        ("BACKOFF_MAX", time(limits::BACKOFF_MAX)),
        ("GRACE_WAIT", time(limits::GRACE_WAIT)),
        ("GRACE_ATTEMPT_TIME", time(limits::GRACE_ATTEMPT_TIME)),
        ("HEARTBEAT_INTERVAL", time(limits::HEARTBEAT_INTERVAL)),
        ("HEARTBEAT_TIMEOUT", time(limits::HEARTBEAT_TIMEOUT)),
        ("SDP_BYTES", bytes(limits::SDP_BYTES)),
        ("CANDIDATE_BYTES", bytes(limits::CANDIDATE_BYTES)),
        ("CANDIDATES", limits::CANDIDATES.to_string()),
        ("HOST_CANDIDATES", limits::HOST_CANDIDATES.to_string()),
        ("CANDIDATE_PAIRS", limits::CANDIDATE_PAIRS.to_string()),
        ("SERVER_CANDIDATES", limits::SERVER_CANDIDATES.to_string()),
        ("ICE_URLS", limits::ICE_URLS.to_string()),
        ("OFFERS", limits::OFFERS.to_string()),
        ("SIGNALS", limits::SIGNALS.to_string()),
        ("SIGNAL_WINDOW", time(limits::SIGNAL_WINDOW)),
        ("DIRECT_TIMEOUT", time(limits::DIRECT_TIMEOUT)),
        ("DIRECT_RETRY_MIN", time(limits::DIRECT_RETRY_MIN)),
        ("DIRECT_RETRY_MAX", time(limits::DIRECT_RETRY_MAX)),
        ("DIRECT_HEARTBEAT_INTERVAL", time(limits::DIRECT_HEARTBEAT_INTERVAL)),
        ("DIRECT_HEARTBEAT_IDLE", time(limits::DIRECT_HEARTBEAT_IDLE)),
        ("DIRECT_HEARTBEAT_TIMEOUT", time(limits::DIRECT_HEARTBEAT_TIMEOUT)),
        ("DIRECT_RESTART_AFTER", time(limits::DIRECT_RESTART_AFTER)),
        ("DIRECT_HOLD", time(limits::DIRECT_HOLD)),
        ("DIRECT_HOLD_MAX", time(limits::DIRECT_HOLD_MAX)),
        ("DIRECT_STEADY", time(limits::DIRECT_STEADY)),
        ("COMPARE_TIME", time(limits::COMPARE_TIME)),
        ("REASSERT_INTERVAL", time(limits::REASSERT_INTERVAL)),
        ("CHANNELS", limits::CHANNELS.to_string()),
        ("CHANNELS_IN_ALL", limits::CHANNELS_IN_ALL.to_string()),
        ("CHANNEL_MESSAGE_BYTES", bytes(limits::CHANNEL_MESSAGE_BYTES)),
        ("CHANNEL_WINDOW", bytes(limits::CHANNEL_WINDOW)),
        ("CHANNEL_WINDOW_MIN", bytes(limits::CHANNEL_WINDOW_MIN)),
        ("CHANNEL_OVERHEAD", bytes(limits::CHANNEL_OVERHEAD)),
        ("CHANNEL_UNREAD_BYTES", bytes(limits::CHANNEL_UNREAD_BYTES)),
        ("CHANNEL_QUIET", time(limits::CHANNEL_QUIET)),
        ("CHANNEL_FAREWELL", time(limits::CHANNEL_FAREWELL)),
        ("CHANNEL_PIECE_BYTES", bytes(limits::CHANNEL_PIECE_BYTES)),
        ("CHANNEL_PARTS", limits::CHANNEL_PARTS.to_string()),
        ("CHANNEL_PATIENCE", time(limits::CHANNEL_PATIENCE)),
        ("CHANNEL_QUEUE_TIME", time(limits::CHANNEL_QUEUE_TIME)),
    ];
    let rows = rows(3);
    for (name, value) in &limits {
        let stated = rows.get(*name).map(|cells| &cells[0]);
        assert_eq!(stated, Some(value), "{name}");
    }

    let source = concat!(
        include_str!("../src/limits.rs"),
        include_str!("../src/limits/backlog.rs"),
        include_str!("../src/limits/channels.rs"),
        include_str!("../src/limits/ice.rs"),
        include_str!("../src/limits/lines.rs"),
        include_str!("../src/limits/queues.rs"),
        include_str!("../src/limits/rooms.rs"),
        include_str!("../src/limits/watches.rs")
    );
    let constants =
        source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'));
    for (name, _) in constants {
        let compared = limits.iter().any(|(other, _)| *other == name);
        assert!(compared, "{name} is stated and compared");
    }
    let is_constant = |name: &&String| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    for name in rows.keys().filter(is_constant) {
        let exists = limits.iter().any(|(other, _)| other == name);
        assert!(exists, "{name} is a constant");
    }
}

#[test]
fn the_table_of_codes_agrees_with_the_code() {
    let (codes, reasons) = (rows(3), rows(2));

    for code in Code::ALL {
        let cells = codes.get(code.as_str());
        let cells = cells.unwrap_or_else(|| panic!("no row for {code}"));
        assert_eq!(cells[1] == "yes", code.is_retryable(), "{code}");
    }
    for reason in EndReason::ALL {
        assert!(reasons.contains_key(reason.as_str()), "no row for {reason}");
    }
}

#[test]
fn every_event_is_described() {
    for event in wire::TO_CLIENT.iter().chain(&[
        wire::UNREGISTER,
        wire::LEAVE,
        wire::LIST,
        wire::WATCH,
        wire::JOIN,
        wire::EXIT,
        wire::CANCEL,
        wire::PING,
        wire::EMIT,
        wire::EMIT_ACKNOWLEDGE,
        wire::LIST_CLIENTS,
        wire::SERVER_ERROR,
    ]) {
        assert!(TEXT.contains(event), "{event}");
    }
}

#[test]
fn the_binary_frame_that_it_shows_has_the_length_that_it_says() {
    let header = r#"{"s":1,"k":0,"t":"emit","e":"f","a":[{"_placeholder":true,"num":0}],"b":[3]}"#;
    let length = header.len();

    assert!(TEXT.contains(header));
    assert!(TEXT.contains(&format!("00 00 00 {length:02x}  7b 22")));
    assert!(TEXT.contains(&format!("{length} bytes of header")));
}

#[test]
fn the_frames_that_it_shows_are_frames() {
    let (_, rest) = TEXT.split_once("```json\n").unwrap();
    let (json, _) = rest.split_once("```").unwrap();

    let frames = socketio_p2p_protocol::frame::batch_from_text(json).unwrap().all().unwrap();

    assert_eq!(frames.len(), 11);
}

#[test]
fn the_heartbeat_that_it_shows_is_one() {
    let line = TEXT.lines().find(|line| line.starts_with(r#"{"t": "ping""#)).unwrap();

    let beat = socketio_p2p_protocol::peer::Heartbeat::from_text(line).unwrap();

    assert_eq!((beat.n, beat.ok, beat.server), (7, true, Some(350)));
}
