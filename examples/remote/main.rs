//! A device that a page controls: from a phone, say. The server is a process of its own, which Enter kills and starts
//! again: no command is lost by that, and none is obeyed twice.
//!
//! ```text
//! cargo run --example remote
//! ```

mod lamp;

use std::{
    error::Error,
    future::pending,
    net::{IpAddr, SocketAddr},
    process::{ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use socketio_p2p_client::{
    Event, EventsError, HandlerError, Incoming, P2pBuilderExt, P2pClient, P2pClientExt, Presence,
};
use socketio_p2p_examples::{RunningServer, WARNINGS, exit_status, log_to_stderr, site::Site};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command as Process},
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::sleep,
};

use crate::lamp::{Command, Lamp, Obeyed};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Shows a lamp in the terminal, and serves a page that controls it.
///
/// Prints the page's URL. Enter kills the server, Enter starts it again. Ends on Ctrl-C.
#[derive(Parser)]
struct Options {
    /// The port to listen on. 0 stands for any free port.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address to listen on; 0.0.0.0 lets phones of the same network in.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Makes this process the server. Leave it out.
    #[arg(long, hide = true)]
    serve: bool,
}

const PAGE: Site = Site { html: include_str!("page.html"), script: include_str!("page.js") };

/// The time in which the motor makes a step.
const STEP: Duration = Duration::from_millis(100);

/// The time to wait after a state could not be delivered. There may be nobody who wants it.
const PAUSE: Duration = Duration::from_millis(500);

/// The time for which the lamp looks for the server at first.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr(WARNINGS);
    let address = SocketAddr::new(options.host, options.port);
    exit_status(if options.serve { serve(address).await } else { run(address).await })
}

/// Runs the server, until the process that started it ends.
async fn serve(address: SocketAddr) -> Result {
    // Ctrl-C in a terminal reaches this process too; the other one closes it in its time.
    let _interrupt = signal(SignalKind::interrupt())?;
    let server = RunningServer::start_with(address, PAGE.routes()?).await?;
    println!("{}", server.url);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    server.stop().await?;
    Ok(())
}

/// The server's process.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    async fn start(address: SocketAddr) -> Result<Self> {
        let mut command = Process::new(std::env::current_exe()?);
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args(["--serve", "--host", &host, "--port", &port]);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let url = BufReader::new(stdout).lines().next_line().await?;
        Ok(Self { process, url: url.ok_or("the server did not start")? })
    }
}

/// Runs the lamp, beside the server. This is the process that the user started.
async fn run(address: SocketAddr) -> Result {
    let server = Server::start(address).await?;
    let url = server.url.clone();
    let screen = Screen::new();

    let (lamp, state) = watch::channel(Lamp::new());
    let client = connect(&url, lamp.clone()).await?;
    screen.say(&format!("listening on {url}"));
    screen.say("Enter kills the server, and starts it again");

    tokio::select! {
        result = restart(server, &screen) => result?,
        () = turn(&lamp) => {}
        () = push(&client, state.clone()) => {}
        result = screen.show(&client, state) => result?,
        result = interrupted() => result?,
    }
    client.close().await;
    Ok(())
}

async fn interrupted() -> Result {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}

/// Kills the server at an Enter, without a farewell, and starts it at the next one, at the same address.
async fn restart(mut server: Server, screen: &Screen) -> Result {
    let address = server.url.trim_start_matches("http://").parse()?;
    let mut keys = enters();
    loop {
        if keys.recv().await.is_none() {
            // Nobody can press a key. The server lives as long as this future.
            pending::<()>().await;
        }
        server.process.kill().await?;
        screen.say("the server is killed");
        if keys.recv().await.is_some() {
            server = Server::start(address).await?;
            screen.say("the server runs again");
        }
    }
}

/// Returns the presses of Enter. A thread of its own reads them: tokio's stdin would hold up the end of this program
/// until the next one.
fn enters() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if sender.blocking_send(()).is_err() {
                break;
            }
        }
    });
    receiver
}

async fn connect(url: &str, lamp: watch::Sender<Lamp>) -> Result<P2pClient> {
    let obeyed = Arc::<Mutex<Obeyed>>::default();
    let look = lamp.clone();
    let client = url
        .p2p("lamp")
        .retry_connect(PATIENCE)
        .on2("do", move |msg: Incoming| {
            let result = obey(&msg, &lamp, &obeyed);
            async { result }
        })
        .on2("look", move |_: Incoming| {
            let state = look.borrow().clone();
            async { Ok(state) }
        })
        .connect()
        .await?;
    Ok(client)
}

/// Obeys a command, unless it is the repetition of one whose reply was lost. Replies with the state.
fn obey(
    msg: &Incoming,
    lamp: &watch::Sender<Lamp>,
    obeyed: &Mutex<Obeyed>,
) -> Result<Lamp, HandlerError> {
    let (page, number, command): (String, u64, Command) = msg.args()?;
    if obeyed.lock().unwrap_or_else(PoisonError::into_inner).note(&page, number)? {
        lamp.send_modify(|lamp| lamp.obey(command));
    }
    Ok(lamp.borrow().clone())
}

/// Turns the motor.
async fn turn(lamp: &watch::Sender<Lamp>) {
    let mut steps = tokio::time::interval(STEP);
    loop {
        steps.tick().await;
        lamp.send_if_modified(Lamp::step);
    }
}

/// Sends each new state to the page. While one is on its way, only the newest one waits.
async fn push(client: &P2pClient, mut state: watch::Receiver<Lamp>) {
    while state.changed().await.is_ok() {
        let now = state.borrow_and_update().clone();
        if client.emit2("state", now).await.is_err() && client.pairing().is_some() {
            sleep(PAUSE).await;
            state.mark_changed();
        }
    }
}

/// The terminal: a line with the lamp at its bottom. What is no terminal gets a line for each state.
struct Screen(ProgressBar);

impl Screen {
    fn new() -> Self {
        // A template of one field cannot fail.
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()).with_style(style))
    }

    fn say(&self, text: &str) {
        if self.0.is_hidden() {
            println!("{text}");
        } else {
            self.0.println(text);
        }
    }

    /// Shows the lamp, and who controls it by which path.
    async fn show(&self, client: &P2pClient, mut state: watch::Receiver<Lamp>) -> Result {
        let mut events = client.events();
        loop {
            let lamp = state.borrow_and_update().clone();
            if self.0.is_hidden() {
                println!("{lamp}");
            } else {
                self.0.set_message(lamp.spot());
            }
            tokio::select! {
                changed = state.changed() => changed?,
                event = events.recv() => match event {
                    Ok(event) => self.tell(&event),
                    Err(EventsError::Lagged(_)) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    fn tell(&self, event: &Event) {
        match event {
            Event::Paired(pairing) => self.say(&format!("{} is here", pairing.partner)),
            Event::Unpaired { pairing, reason } => {
                self.say(&format!("{} is gone: {reason}", pairing.partner));
            }
            Event::Path { path: Some(path), .. } => self.say(&format!("path: {path}")),
            Event::Path { path: None, .. } => self.say("there is no path"),
            Event::Away => self.say("the server is away"),
            Event::Resumed(_) | Event::Restarted(_) => self.say("the server is back"),
            Event::Partner(Presence::Away) => self.say("the page is away"),
            Event::Partner(Presence::Back) => self.say("the page is back"),
            _ => {}
        }
    }
}
