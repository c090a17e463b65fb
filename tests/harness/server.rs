//! The server as a process of its own.

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::process::{DEFAULT_LIMIT, Process};
use crate::{Program, StartError, WaitError};

/// The text that the server prints before its address when it is ready.
const READY: &str = "listening on ";

/// A running server process. Dropping it kills it; [`Server::stop`] ends it politely.
#[derive(Debug)]
pub struct Server {
    pub(crate) process: Process,
    url: String,
}

impl Server {
    /// Starts the example `server` on a free port and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`StartError::Missing`] if the example is not built, [`StartError::NotReady`] if it does not
    /// say `listening on …` within [`DEFAULT_LIMIT`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a server that was started meanwhile is killed.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// A server with options of its own.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            program: None,
            port: 0,
            args: Vec::new(),
            env: Vec::new(),
            limit: DEFAULT_LIMIT,
        }
    }

    /// Returns its address, for example `http://127.0.0.1:49152`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process id; `None` once it has ended and that was noticed.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Returns the last lines of its stderr.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends the server as a service manager does, with SIGTERM, and waits for its end.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`] if it had to be killed, [`WaitError::Status`] if its status is not 0.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn stop(mut self) -> Result<ExitStatus, WaitError> {
        self.terminate().await
    }

    /// Ends it like [`Self::stop`], and returns the last lines of its stderr.
    ///
    /// # Errors
    ///
    /// Those of [`Self::stop`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn stop_and_log(mut self) -> Result<String, WaitError> {
        self.terminate().await?;
        Ok(self.log())
    }

    async fn terminate(&mut self) -> Result<ExitStatus, WaitError> {
        self.process.terminate();
        let (status, _) = self.process.wait().await?;
        if status.success() {
            return Ok(status);
        }
        let (who, transcript) = (self.process.who().into(), self.process.transcript());
        Err(WaitError::Status { who, status, transcript })
    }

    /// Ends the server at once, as a crash does, and waits until it is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed in any case.
    pub async fn kill(mut self) {
        self.process.kill().await;
    }
}

impl From<&Server> for String {
    fn from(server: &Server) -> Self {
        server.url.clone()
    }
}

/// Options of a [`Server`] that is to be started.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct ServerBuilder {
    program: Option<Program>,
    port: u16,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    limit: Duration,
}

impl ServerBuilder {
    /// Another program than the example: it gets `--port PORT` and prints `listening on URL`.
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(program);
        self
    }

    /// The port; 0, the default, takes a free one. For a server that comes back where it was: see [`HeldPort`].
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The limit of every wait for this server: [`DEFAULT_LIMIT`] by default.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a server that was started meanwhile is killed.
    pub async fn start(self) -> Result<Server, StartError> {
        let program = match self.program {
            Some(program) => program,
            None => Program::example("server", "SOCKETIO_P2P_SERVER")?,
        };
        let mut command = program.command();
        command.arg("--port").arg(self.port.to_string()).args(self.args).envs(self.env);
        let mut process = Process::spawn("server".into(), &program, command, self.limit)?;
        let deadline = Instant::now() + self.limit;
        loop {
            let line = process.line("the line `listening on …`", deadline).await?;
            if let Some(url) = line.strip_prefix(READY) {
                return Ok(Server { url: url.trim().to_owned(), process });
            }
        }
    }
}

/// A port of this machine for a server that is to be started after its peers, or twice.
///
/// It is kept for that server: as long as this lives, no port 0 becomes this one, and no connection goes out from it. A
/// server takes it by its number, if it sets `SO_REUSEADDR`, as tokio and Node do. Until then connections to it
/// are refused.
#[derive(Debug)]
pub struct HeldPort {
    number: u16,
    /// Bound, and never listening.
    _socket: TcpSocket,
}

impl HeldPort {
    /// Takes a free port.
    ///
    /// # Errors
    ///
    /// If the machine has no free port.
    pub fn take() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { number: socket.local_addr()?.port(), _socket: socket })
    }

    /// Returns its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_held_port_is_its_servers_again_and_again_and_taken_for_all_others() -> io::Result<()>
    {
        let port = HeldPort::take()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        assert!(TcpStream::connect(address).await.is_err(), "nothing listens");

        for _ in 0..2 {
            let server = TcpListener::bind(address).await?;
            let (client, accepted) = tokio::join!(TcpStream::connect(address), server.accept());
            drop((client?, accepted?, server));
        }

        // For the system it is taken all the time.
        let other = TcpSocket::new_v4()?;
        let error = other.bind(address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        Ok(())
    }
}
