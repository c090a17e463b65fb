//! Tests an application's own logic under a thousand seeds of faults, in seconds.
//!
//! ```text
//! cargo run -p socketio-p2p-protocol --features sim --example application
//! cargo run -p socketio-p2p-protocol --features sim --example application -- --naive
//! cargo run -p socketio-p2p-protocol --features sim --example application -- --naive --seed 3
//! ```
//!
//! Two clients send each other coins. No coin may be lost or doubled, whatever becomes of the
//! connections and the server. The outcome of a call can be *unknown*: then it must be repeated, and
//! the receiver must know a transfer that it has already booked. The naive receiver does not: the
//! simulator finds a seed, and prints how to repeat the run with its last events.

use std::{collections::BTreeSet, env, time::Duration};

use serde_json::{Value, json};
use socketio_p2p_protocol::{
    Code, Outcome, Refusal,
    sim::{self, Application, CallNo, Calls, LINES, Trace},
};

/// The number of runs.
const SEEDS: u64 = 1_000;

/// The coins that each client has at first.
const COINS: u64 = 100;

/// One transfer at a time: its number and coins, and the call under way.
#[derive(Debug)]
struct Transfer {
    number: u64,
    coins: u64,
    call: Option<CallNo>,
}

#[derive(Debug, Default)]
struct Account {
    coins: u64,
    last: u64,
    /// The transfer that is not known to have arrived.
    sending: Option<Transfer>,
    /// The transfers that arrived.
    booked: BTreeSet<u64>,
}

/// Two accounts.
#[derive(Debug)]
pub(crate) struct Transfers {
    accounts: [Account; 2],
    /// True if a repeated transfer is booked again.
    naive: bool,
}

impl Transfers {
    pub(crate) fn new(naive: bool) -> Self {
        let account = || Account { coins: COINS, ..Account::default() };
        Self { accounts: [account(), account()], naive }
    }
}

impl Application for Transfers {
    fn tick(&mut self, at: usize, calls: &mut Calls) {
        let account = &mut self.accounts[at];
        if account.sending.is_none() && account.coins > 0 && !calls.winds_down() {
            account.last += 1;
            let coins = 1 + account.last % account.coins.min(7);
            let coins = coins.min(account.coins);
            account.coins -= coins;
            account.sending = Some(Transfer { number: account.last, coins, call: None });
        }
        if let Some(transfer) = account.sending.as_mut().filter(|transfer| transfer.call.is_none())
        {
            let args = vec![json!(transfer.number), json!(transfer.coins)];
            transfer.call = Some(calls.call("transfer", args, Duration::from_secs(5)));
        }
    }

    fn handle(&mut self, at: usize, event: &str, args: &[Value]) -> Result<Value, Refusal> {
        let (Some(number), Some(coins), "transfer") =
            (args.first().and_then(Value::as_u64), args.get(1).and_then(Value::as_u64), event)
        else {
            return Err(Code::BadArgs.into());
        };
        let account = &mut self.accounts[at];
        if account.booked.insert(number) || self.naive {
            account.coins += coins;
        }
        Ok(json!("booked"))
    }

    fn resolved(&mut self, at: usize, call: CallNo, outcome: &Outcome) {
        let sending = &mut self.accounts[at].sending;
        let Some(transfer) = sending.as_mut().filter(|transfer| transfer.call == Some(call)) else {
            return;
        };
        transfer.call = None;
        if let Outcome::Replied(..) = outcome {
            *sending = None;
        }
    }

    fn check(&self, settled: bool) -> Result<(), String> {
        let under_way = |from: usize| {
            let sending = self.accounts[from].sending.as_ref();
            let sending = sending.filter(|t| !self.accounts[1 - from].booked.contains(&t.number));
            sending.map_or(0, |transfer| transfer.coins)
        };
        let total: u64 = self.accounts.iter().map(|account| account.coins).sum();
        let total = total + under_way(0) + under_way(1);
        if total != 2 * COINS {
            return Err(format!("{total} coins instead of {}", 2 * COINS));
        }
        if settled && self.accounts.iter().any(|account| account.sending.is_some()) {
            return Err("a transfer never arrives".to_owned());
        }
        Ok(())
    }
}

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    let naive = args.iter().any(|arg| arg == "--naive");
    let seed = args.iter().position(|arg| arg == "--seed").and_then(|at| args.get(at + 1));
    let run = |seed, trace| sim::run_application(seed, Box::new(Transfers::new(naive)), trace);

    if let Some(seed) = seed.and_then(|seed| seed.parse().ok()) {
        match run(seed, Trace::of(LINES)).1 {
            Ok(summary) => println!("seed {seed}: {summary:?}"),
            Err(failure) => println!("{failure}"),
        }
        return;
    }
    let totals = sim::run_many(1, run, |totals| totals.runs >= SEEDS);
    println!("{totals}");
    if let Some(failure) = totals.failure {
        println!("{failure}");
        println!("repeat: the same command with --seed {}", failure.seed());
        std::process::exit(1);
    }
}
