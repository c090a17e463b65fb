//! Nothing but dependencies.
//!
//! Cargo builds a dependency anew for each combination of features that the named packages ask for. A command that
//! names this package too asks for the same features as one for the whole workspace, and finds its builds.
