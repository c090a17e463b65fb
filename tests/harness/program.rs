//! The executable to start, and its location.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::StartError;

/// An executable and the arguments that come before all others (a script, say).
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
}

impl Program {
    /// A program of one's own: a path, or a name that is looked up in `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), args: Vec::new() }
    }

    /// Adds an argument that stands before those of the harness, such as the script of an interpreter.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Python with the packages of `interop/python-requirements.txt`, which `tests/run` installs.
    #[must_use]
    pub fn python() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Self::new(workspace.join("target/python-clients/bin/python"))
    }

    /// An example of this workspace: by its environment variable, or beside the running test.
    ///
    /// # Errors
    ///
    /// [`StartError::Missing`] if it is not there; the error says how to build it.
    pub fn example(name: &'static str, variable: &'static str) -> Result<Self, StartError> {
        if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
            return Ok(Self::new(path));
        }
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        let looked_for = env::current_exe()
            .ok()
            .and_then(|test| Some(profile_folder(&test)?.join("examples").join(file)))
            .unwrap_or_default();
        if looked_for.is_file() {
            return Ok(Self::new(looked_for));
        }
        Err(StartError::Missing { name, variable, looked_for })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.args);
        command
    }

    /// Returns the path of its executable.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `target/<profile>` of a test (`deps/x`), an example (`examples/x`) or a plain binary (`x`) in it.
fn profile_folder(executable: &Path) -> Option<&Path> {
    let folder = executable.parent()?;
    match folder.file_name().and_then(OsStr::to_str) {
        Some("deps" | "examples") => folder.parent(),
        _ => Some(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_are_found_beside_the_tests_of_the_same_profile() {
        for inside in ["deps/e2e-0123", "examples/pair", "relay-bench"] {
            let executable = Path::new("target/debug").join(inside);
            assert_eq!(profile_folder(&executable), Some(Path::new("target/debug")), "{inside}");
        }
    }

    #[test]
    fn a_missing_example_says_how_to_build_it() {
        let error = Program::example("no-such-example", "SOCKETIO_P2P_NO_SUCH").unwrap_err();

        let text = error.to_string();
        assert!(text.contains("cargo build --workspace --examples"), "{text}");
        assert!(text.contains("SOCKETIO_P2P_NO_SUCH"), "{text}");
        assert!(text.contains("examples/no-such-example"), "{text}");
    }
}
