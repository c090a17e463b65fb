//! A history of a live broker: who comes, says what, and goes, in whatever order.
//!
//! The bytes choose the steps. [`host::Host`] carries out what the broker says as a server would,
//! and checks after each step that the rules hold.

mod host;
mod model;
mod requests;

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use serde_json::json;
use socketio_p2p_protocol::{
    BrokerConfig, ClientId, ClientMessage, Code, ConnId, Dialect, DuplicatePolicy, ListPolicy,
    PairingId, ReqId,
    broker::Input,
    limits::{CONSENT_TIME, GRACE, RELEASE_TIMEOUT},
};

use self::{host::Host, model::Shown};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Longer histories find nothing that shorter ones do not.
const STEPS: usize = 300;

/// Plays the history.
pub fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(mut history) = History::new(&mut bytes) else { return };
    for _ in 0..STEPS {
        if bytes.is_empty() || history.step(&mut bytes).is_err() {
            break;
        }
    }
    history.host.end();
}

struct History {
    host: Host,
    /// Set if pairings are granted at once, as on a single node.
    grants_at_once: bool,
    last_conn: u64,
    last_req: ReqId,
}

impl History {
    fn new(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let mut config = BrokerConfig::new(1);
        let choices: u8 = bytes.arbitrary()?;
        config.list = [ListPolicy::V1Only, ListPolicy::All, ListPolicy::Nobody, ListPolicy::V1Only]
            [usize::from(choices & 3)];
        config.grace = if choices & 4 == 0 { GRACE } else { Duration::ZERO };
        config.duplicates = match choices & 8 {
            0 => DuplicatePolicy::Reject,
            _ => DuplicatePolicy::TakeOver,
        };
        if choices & 16 != 0 {
            config.clients = 3;
        }
        let mut history = Self {
            host: Host::new(config),
            grants_at_once: choices & 32 == 0,
            last_conn: 0,
            last_req: 0,
        };
        // The others have to come by themselves.
        for name in &NAMES[..usize::from(choices >> 6) + 1] {
            let dialect = if history.last_conn == 1 { Dialect::V1 } else { Dialect::V2 };
            history.come(id(name), dialect, Shown::Nothing);
        }
        Ok(history)
    }

    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        match bytes.int_in_range(0..=23)? {
            0..=2 => {
                let client = some_client(bytes)?;
                let dialect = if bytes.ratio(1, 3)? { Dialect::V1 } else { Dialect::V2 };
                let shown = *bytes.choose(&Shown::ALL)?;
                if bytes.arbitrary()? {
                    self.come(client, dialect, shown);
                } else {
                    self.admit(client, dialect, shown);
                }
            }
            3 => {
                let conn = self.some_conn(bytes)?;
                self.host.handle(Input::Connected(conn));
            }
            4 => {
                let conn = self.some_conn(bytes)?;
                self.host.handle(Input::Disconnected(conn));
            }
            5..=8 => {
                let (conn, req) = self.asks(bytes)?;
                let target = some_client(bytes)?;
                let payload = bytes.ratio(1, 4)?.then(|| json!({ "token": 7 }));
                // The last one is more than the server allows.
                let times = [None, None, Some(0), Some(3_000), Some(100_000)];
                let consent_time = bytes.choose(&times)?.map(Duration::from_millis);
                let message =
                    ClientMessage::Register { req, target, payload, consent_time, wait: None };
                self.host.say(conn, message);
            }
            9..=12 => self.answer(bytes)?,
            13 => {
                let (conn, req) = self.asks(bytes)?;
                self.host.say(conn, ClientMessage::Unregister { req });
            }
            14 => {
                let (conn, req) = self.asks(bytes)?;
                let is_v1 = self.host.dialect(conn) == Some(Dialect::V1);
                let message = match (is_v1, self.host.last_ended(conn), req) {
                    // What its acknowledgement says.
                    (true, Some(pairing), _) => ClientMessage::Released { pairing },
                    (false, _, Some(req)) => ClientMessage::Ping { req },
                    _ => ClientMessage::List { req },
                };
                self.host.say(conn, message);
            }
            15 => {
                let (conn, req) = self.asks(bytes)?;
                self.host.say(conn, ClientMessage::List { req });
            }
            16 => {
                let conn = self.some_conn(bytes)?;
                if self.host.dialect(conn) == Some(Dialect::V2) {
                    self.host.say(conn, ClientMessage::Leave);
                }
            }
            17 => {
                let (conn, req) = self.asks(bytes)?;
                let target = some_client(bytes)?;
                self.host.forbid(conn, req, target);
            }
            18 => self.grant(bytes)?,
            19 => {
                let client = some_client(bytes)?;
                self.host.handle(Input::Unpair(client));
            }
            20 => {
                let kick = match bytes.arbitrary()? {
                    true => Input::Kick(some_client(bytes)?),
                    false => Input::Expel(self.some_conn(bytes)?),
                };
                self.host.handle(kick);
            }
            21 => {
                let time = some_time(bytes)?;
                self.host.pass(time);
            }
            22 => {
                // A host whose timers are late.
                self.host.now += some_time(bytes)?;
                if bytes.arbitrary()? {
                    self.host.handle(Input::Timeout);
                }
            }
            _ => {
                if bytes.ratio(1, 8)? {
                    self.host.handle(Input::ShutDown);
                }
            }
        }
        while self.grants_at_once
            && let Some(pairing) = self.host.grants.pop()
        {
            self.host.handle(Input::Granted(pairing, Ok(())));
        }
        Ok(())
    }

    fn admit(&mut self, client: ClientId, dialect: Dialect, shown: Shown) -> ConnId {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        self.host.admit(conn, client, dialect, shown);
        conn
    }

    fn come(&mut self, client: ClientId, dialect: Dialect, shown: Shown) {
        let conn = self.admit(client, dialect, shown);
        self.host.handle(Input::Connected(conn));
    }

    /// Mostly one of the last, which may be gone.
    fn some_conn(&self, bytes: &mut Unstructured<'_>) -> Result<ConnId> {
        let back: u64 = bytes.int_in_range(0..=7)?;
        Ok(ConnId(self.last_conn.saturating_sub(back)))
    }

    /// A connection that asks for something, and the number of the question: a v1 client may have
    /// none.
    fn asks(&mut self, bytes: &mut Unstructured<'_>) -> Result<(ConnId, Option<ReqId>)> {
        let conn = self.some_conn(bytes)?;
        let is_v1 = self.host.dialect(conn) == Some(Dialect::V1);
        self.last_req += 1;
        let numbered = !is_v1 || bytes.ratio(3, 4)?;
        Ok((conn, numbered.then_some(self.last_req)))
    }

    fn answer(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let conn = self.some_conn(bytes)?;
        let asked = self.host.asked_of(conn);
        let is_v1 = self.host.dialect(conn) == Some(Dialect::V1);
        let req = match asked.len() {
            // Anybody can guess the number of a question that others were asked.
            0 if is_v1 => None,
            0 => Some(bytes.int_in_range(0..=15)?),
            _ if is_v1 && bytes.arbitrary()? => None,
            _ => Some(*bytes.choose(&asked)?),
        };
        let message = if bytes.ratio(7, 8)? {
            ClientMessage::Accept { req }
        } else {
            ClientMessage::Decline { req, reason: bytes.ratio(1, 2)?.then(|| "no".to_owned()) }
        };
        self.host.say(conn, message);
        Ok(())
    }

    fn grant(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let pairing = if self.host.grants.is_empty() {
            PairingId::new(1, bytes.int_in_range(0..=15)?) // Answered before, or never asked.
        } else {
            let at = bytes.choose_index(self.host.grants.len())?;
            self.host.grants.remove(at)
        };
        let verdict = if bytes.ratio(3, 4)? { Ok(()) } else { Err(Code::Quota) };
        self.host.handle(Input::Granted(pairing, verdict));
        Ok(())
    }
}

fn id(name: &str) -> ClientId {
    name.parse().expect("a name that is allowed")
}

fn some_client(bytes: &mut Unstructured<'_>) -> Result<ClientId> {
    Ok(id(bytes.choose(&NAMES)?))
}

fn some_time(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    let tick = Duration::from_millis(1);
    let times = [
        Duration::ZERO,
        tick,
        RELEASE_TIMEOUT,
        CONSENT_TIME - tick,
        CONSENT_TIME,
        GRACE - tick,
        GRACE,
        Duration::from_secs(601),
    ];
    Ok(*bytes.choose(&times)?)
}
