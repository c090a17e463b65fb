//! The cost of a process: CPU time and memory, as Linux counts them.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
#[cfg(target_os = "linux")]
use nix::sys::time::TimeValLike as _;

/// User and system time of process `pid` and all its threads, to the nanosecond.
///
/// It is the sum that /proc/PID/stat shows in ticks of 10 ms.
#[cfg(target_os = "linux")]
pub fn cpu(pid: u32) -> Result<Duration> {
    let clock = nix::time::ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(pid.try_into()?))?;
    Ok(clock.now()?.into())
}

#[cfg(not(target_os = "linux"))]
pub fn cpu(_: u32) -> Result<Duration> {
    anyhow::bail!("only Linux tells the CPU time of another process")
}

/// The memory of process `pid` in bytes: its own pages, and its share of those it shares.
pub fn memory(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = pss.and_then(|line| line.split_whitespace().next()).context("no Pss")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// Allows this process and its children as many open files as the system lets it have.
#[cfg(target_os = "linux")]
pub fn raise_open_files() -> Result<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

#[cfg(not(target_os = "linux"))]
pub fn raise_open_files() -> Result<u64> {
    anyhow::bail!("only Linux is asked for its limits")
}

/// CPU time that the whole machine has spent so far.
pub fn machine() -> Result<Duration> {
    /// Ticks a second in /proc, whatever the kernel's own tick is.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/stat")?;
    let times = stat.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<f64> = times.split_whitespace().flat_map(str::parse).collect();
    // User, nice, system, [idle, waiting for a disk,] interrupts of two kinds.
    let busy: f64 = [0, 1, 2, 5, 6].iter().filter_map(|&field| ticks.get(field)).sum();
    Ok(Duration::from_secs_f64(busy / TICKS))
}

/// CPU time of this process and of all its children that have ended.
#[cfg(target_os = "linux")]
pub fn own() -> Result<Duration> {
    use nix::sys::resource::{UsageWho, getrusage};

    let of = |who| -> Result<Duration> {
        let usage = getrusage(who)?;
        let micros = [usage.user_time(), usage.system_time()].map(|time| time.num_microseconds());
        Ok(Duration::from_micros(micros.iter().sum::<i64>().try_into()?))
    };
    Ok(of(UsageWho::RUSAGE_SELF)? + of(UsageWho::RUSAGE_CHILDREN)?)
}

#[cfg(not(target_os = "linux"))]
pub fn own() -> Result<Duration> {
    anyhow::bail!("only Linux is asked for it")
}
