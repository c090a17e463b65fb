//! Tools that the benchmarks share: processes and their cost, npm, and the format of a report.

mod child;
mod environment;
mod npm;
pub mod usage;
mod verdict;

pub use child::Child;
pub use environment::Environment;
pub use npm::NpmProject;
pub use verdict::{Verdict, median};
