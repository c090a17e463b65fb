//! The kinds of stock clients, and the programs in which they run.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::Serialize;
use socketio_p2p_harness::Program;

/// A library of a stock client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Library {
    /// socket.io-client of this major version.
    Node(&'static str),
    /// python-socketio, with asyncio.
    Python,
}

/// Transports a client may use. One that upgrades begins with polling, as all do by default.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Websocket,
    Polling,
    Upgrade,
}

/// A library over a transport.
pub(super) type Kind = (Library, Transport);

/// All libraries.
const LIBRARIES: [Library; 5] = [
    Library::Node("1"),
    Library::Node("2"),
    Library::Node("3"),
    Library::Node("4"),
    Library::Python,
];

/// All transports.
const TRANSPORTS: [Transport; 3] = [Transport::Websocket, Transport::Polling, Transport::Upgrade];

/// Kinds that a restart meets most: those of today and of the predecessor's time.
pub(super) const RESTARTED: [Kind; 6] = [
    (Library::Node("4"), Transport::Websocket),
    (Library::Node("2"), Transport::Websocket),
    (Library::Python, Transport::Websocket),
    (Library::Node("4"), Transport::Polling),
    (Library::Node("2"), Transport::Upgrade),
    (Library::Python, Transport::Polling),
];

/// Returns the kinds of so many clients: all in turn, and neighbours are of different libraries.
pub(super) fn spread(clients: usize) -> Vec<Kind> {
    let all = TRANSPORTS
        .into_iter()
        .flat_map(|transport| LIBRARIES.into_iter().map(move |library| (library, transport)));
    all.collect::<Vec<_>>().into_iter().cycle().take(clients).collect()
}

/// Names a kind to those who read what is wrong.
pub(super) fn describe((library, transport): &Kind) -> String {
    format!("{}, {transport:?}", library.name())
}

impl Library {
    /// Returns the program that runs clients of this library.
    pub(super) fn program(self) -> Result<Program> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = |name| tests.join("soak/programs/stock").join(name);
        match self {
            Self::Node(major) => {
                let packages = tests.join("interop");
                needed(packages.join(format!("node_modules/socket.io-client-{major}")))?;
                Ok(Program::new("node").arg(script("clients.mjs")).arg(packages).arg(major))
            }
            Self::Python => {
                let python = Program::python();
                needed(python.path().to_owned())?;
                Ok(python.arg(script("clients.py")))
            }
        }
    }

    /// Returns the name of its processes in errors.
    pub(super) fn name(self) -> String {
        match self {
            Self::Node(major) => format!("socket.io-client {major}"),
            Self::Python => "python-socketio".to_owned(),
        }
    }
}

fn needed(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.exists(), "{} is missing: tests/run installs it", path.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_clients_are_of_all_kinds_and_no_pair_is_of_one_library() {
        let kinds = spread(40);

        for transport in TRANSPORTS {
            for library in LIBRARIES {
                assert!(kinds.contains(&(library, transport)), "{library:?} {transport:?}");
            }
        }
        for pair in kinds.chunks(2) {
            assert_ne!(pair[0].0, pair[1].0);
        }
    }
}
