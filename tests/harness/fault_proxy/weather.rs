//! The faults that affect a connection at present.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fault::{Fault, Ways};

/// The way in which a connection is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cut {
    Reset,
    Finish,
}

/// Of both directions at once, but for what is swallowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    pub(super) cut: Option<Cut>,
    pub(super) swallowed: Option<Ways>,
    frozen: Lasting<()>,
    delay: Lasting<Duration>,
    rate: Lasting<usize>,
    split: Lasting<usize>,
    merge: Lasting<Duration>,
}

/// A value that expires.
#[derive(Clone, Copy, Debug)]
struct Lasting<T>(Option<(T, Instant)>);

impl<T> Default for Lasting<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> Lasting<T> {
    fn new(what: T, lasts: Duration) -> Self {
        Self(Some((what, Instant::now() + lasts)))
    }

    fn now(&self) -> Option<T> {
        self.0.filter(|(_, until)| Instant::now() < *until).map(|(what, _)| what)
    }
}

impl Weather {
    /// Returns whether further faults cannot change anything.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.cut.is_some() || self.swallowed.is_some()
    }

    pub(super) fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Delay { by, lasts } => self.delay = Lasting::new(by, lasts),
            Fault::Reset => self.cut = Some(Cut::Reset),
            Fault::Finish => self.cut = Some(Cut::Finish),
            Fault::HalfOpen(ways) => self.swallowed = Some(ways),
            Fault::Throttle { rate, lasts } => self.rate = Lasting::new(rate.max(1), lasts),
            Fault::Split { most, lasts } => self.split = Lasting::new(most.max(1), lasts),
            Fault::Merge { within, lasts } => self.merge = Lasting::new(within, lasts),
            Fault::Freeze { lasts } => self.frozen = Lasting::new((), lasts),
        }
    }

    /// Ends what would end by itself. What was cut or swallowed does not come back.
    pub(super) fn heal(&mut self) {
        *self = Self { cut: self.cut, swallowed: self.swallowed, ..Self::default() };
    }

    pub(super) fn swallows(&self, way: Ways) -> bool {
        self.swallowed.is_some_and(|swallowed| swallowed == way || swallowed == Ways::Both)
    }

    /// Returns the time at which a piece that arrived then may continue, if not at once.
    pub(super) fn held_until(&self, came: Instant) -> Option<Instant> {
        self.frozen_until().max(self.delay.now().map(|by| came + by))
    }

    pub(super) fn frozen_until(&self) -> Option<Instant> {
        self.frozen.0.map(|((), until)| until)
    }

    /// Returns the time until which data is gathered behind a piece that arrived then, or `None`.
    pub(super) fn gathers_until(&self, came: Instant) -> Option<Instant> {
        self.merge.now().map(|within| came + within)
    }

    pub(super) fn rate(&self) -> Option<usize> {
        self.rate.now()
    }

    pub(super) fn split(&self) -> Option<usize> {
        self.split.now()
    }
}

/// Waits until the moment that the weather says, which may change meanwhile.
///
/// # Cancel safety
///
/// Cancel safe.
pub(super) async fn wait(
    weather: &mut watch::Receiver<Weather>,
    until: impl Fn(&Weather) -> Option<Instant>,
) {
    loop {
        let until = until(&weather.borrow_and_update());
        let Some(until) = until.filter(|until| Instant::now() < *until) else { return };
        tokio::select! {
            () = sleep_until(until) => return,
            changed = weather.changed() => if changed.is_err() { return },
        }
    }
}
