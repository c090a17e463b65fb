//! What the benchmarks share: processes, what they cost, npm, and how a report reads.

mod child;
mod environment;
mod npm;
pub mod usage;
mod verdict;

pub use child::Child;
pub use environment::Environment;
pub use npm::NpmProject;
pub use verdict::{Verdict, median};
