//! The time that an opening takes, by hand.

use std::time::Instant;

use super::Of;
use crate::interop::Story;

/// Prints the times of `OPENINGS` openings in each role, 20 if it is not set.
pub(super) async fn times_are_printed(of: Of) -> Story {
    let tries = std::env::var("OPENINGS").ok().and_then(|tries| tries.parse().ok());
    let tries = tries.unwrap_or(20_usize).max(1);
    let mut stack = of.start().await?;
    for &role in of.roles() {
        let mut times = Vec::new();
        for _ in 0..tries {
            let since = Instant::now();
            let bare = stack.connect(role).await?;
            times.push(since.elapsed());
            bare.connection.close().await;
        }
        times.sort();
        let (least, median, most) = (times[0], times[tries / 2], times[tries - 1]);
        println!("{of:?} {role}s: {tries} opened, p50 {median:.0?} ({least:.0?} to {most:.0?})");
    }
    stack.end().await
}
