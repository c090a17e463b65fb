//! Machines whose network changes, or leads nowhere: network namespaces that a story makes and removes.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use socketio_p2p_harness::{Peer, Program, Server, StartError};

use crate::interop::{Failed, Story};

/// The address of the server, which is reached by either link.
const SERVER: &str = "10.66.0.1";

/// A machine with two links to the server's machine, of which the first is up.
struct Networks {
    server: String,
    machine: String,
}

impl Networks {
    /// Makes both machines, or none where that is not allowed.
    fn make() -> Result<Option<Self>, Failed> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let [server, machine] =
            ["s", "m"].map(|kind| format!("{kind}{}-{number}", std::process::id()));
        let added = Command::new("ip").args(["netns", "add", &server]).output();
        if !added.is_ok_and(|added| added.status.success()) {
            println!("skipped: no network namespaces can be made here (ip netns add)");
            return Ok(None);
        }
        let networks = Self { server, machine };
        ip(&format!("netns add {}", networks.machine))?;
        networks.on_server("link set lo up")?;
        networks.on_server(&format!("addr add {SERVER}/32 dev lo"))?;
        networks.on_machine("link set lo up")?;
        for link in 1..=2 {
            let far = &networks.server;
            networks
                .on_machine(&format!("link add m{link} type veth peer name s{link} netns {far}"))?;
            networks.on_machine(&format!("addr add 10.66.{link}.2/24 dev m{link}"))?;
            networks.on_machine(&format!("addr add fd66:{link}::2/64 dev m{link} nodad"))?;
            networks.on_server(&format!("addr add 10.66.{link}.1/24 dev s{link}"))?;
            networks.on_server(&format!("addr add fd66:{link}::1/64 dev s{link} nodad"))?;
            networks.on_server(&format!("link set s{link} up"))?;
        }
        networks.on_machine("link set m1 up")?;
        networks.on_machine("route add default via 10.66.1.1")?;
        Ok(Some(networks))
    }

    fn on_server(&self, command: &str) -> Story {
        ip(&format!("-n {} {command}", self.server))
    }

    fn on_machine(&self, command: &str) -> Story {
        ip(&format!("-n {} {command}", self.machine))
    }

    /// Leaves the first network for the second.
    fn change(&self, way: Way) -> Story {
        self.on_machine("link set m2 up")?;
        match way {
            Way::LinkLost => self.on_machine("link set m1 down")?,
            Way::AddressLost => self.on_machine("addr del 10.66.1.2/24 dev m1")?,
            Way::OtherRoute => self.on_server("link set s1 down")?,
        }
        self.on_machine("route replace default via 10.66.2.1")
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in [&self.server, &self.machine] {
            ip(&format!("netns del {name}")).ok();
        }
    }
}

/// Ways in which a machine leaves a network.
#[derive(Clone, Copy, Debug)]
enum Way {
    LinkLost,
    AddressLost,
    /// What is beyond the link is lost, and the machine takes another route.
    OtherRoute,
}

fn ip(command: &str) -> Story {
    let output = Command::new("ip").args(command.split(' ')).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {command}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// An example that runs in a network namespace.
fn inside(
    namespace: &str,
    example: &'static str,
    variable: &'static str,
) -> Result<Program, Failed> {
    let path = Program::example(example, variable)?.path().to_string_lossy().into_owned();
    let mut program = Program::new("ip");
    for arg in ["netns", "exec", namespace, &path] {
        program = program.arg(arg);
    }
    Ok(program)
}

async fn start_server(networks: &Networks) -> Result<(Server, String), Failed> {
    let program = inside(&networks.server, "server", "SOCKETIO_P2P_SERVER")?;
    let server = Server::builder().program(program).arg("--host").arg("0.0.0.0").start().await?;
    let port = server.url().rsplit(':').next().unwrap_or_default().to_owned();
    Ok((server, port))
}

/// Starts a peer in each namespace, and pairs them.
async fn start_pair(networks: &Networks, url: &str, path: &str) -> Result<(Peer, Peer), Failed> {
    let start = |namespace: &str, id: &str| {
        let program = inside(namespace, "peer", "SOCKETIO_P2P_PEER")?;
        let peer = Peer::builder(url, id).program(program).args(["--path", path]);
        Ok::<_, Failed>(peer.start())
    };
    let (mut a, mut b) =
        tokio::try_join!(start(&networks.machine, "A")?, start(&networks.server, "B")?)?;
    a.register("B").await?;
    b.wait_for("paired").await?;
    Ok((a, b))
}

/// Calls one after another for so long, and returns the longest time that one took.
async fn longest_call(a: &mut Peer, lasts: Duration) -> Result<Duration, Failed> {
    let (since, mut longest) = (Instant::now(), Duration::ZERO);
    while since.elapsed() < lasts {
        let called = Instant::now();
        assert_eq!(a.emit2("chat", json!([1])).await?.value, json!({"echo": [1]}));
        longest = longest.max(called.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(longest)
}

/// Returns the time after which a client notices that the server has vanished without a word, and nothing at the
/// client's own machine has changed.
async fn unnoticed(networks: &Networks, a: &mut Peer) -> Result<Duration, Failed> {
    networks.on_server(&format!("addr del {SERVER}/32 dev lo"))?;
    let vanished = Instant::now();
    a.wait_for("away").await?;
    Ok(vanished.elapsed())
}

/// "At once" is the point here: the change itself is noticed, and not the silence after it. How long silence takes to
/// be noticed is measured in the same run.
#[tokio::test]
async fn a_machine_that_changes_its_network_goes_on_at_once() -> Story {
    let mut silence = None;
    for (path, way) in [
        ("relay-only", Way::LinkLost),
        ("relay-only", Way::AddressLost),
        ("relay-only", Way::OtherRoute),
        ("prefer-direct", Way::LinkLost),
    ] {
        let Some(networks) = Networks::make()? else { return Ok(()) };
        let (_server, port) = start_server(&networks).await?;
        let url = format!("http://{SERVER}:{port}");
        let (mut a, mut b) = start_pair(&networks, &url, path).await?;
        if path == "prefer-direct" {
            b.expect("the direct path", |event| {
                event.name() == "path" && event["path"] == "direct"
            })
            .await?;
        }

        networks.change(way)?;
        let longest = longest_call(&mut a, Duration::from_secs(2)).await?;

        for peer in [&mut a, &mut b] {
            assert!(peer.unread()?.iter().all(|event| event.name() != "unpaired"), "{way:?}");
        }
        let silence = match silence {
            Some(silence) => silence,
            None => *silence.insert(unnoticed(&networks, &mut a).await?),
        };
        println!("{path}, {way:?}: the longest call took {longest:?}, silence {silence:?}");
        assert!(longest < silence, "{path}, {way:?}: {longest:?}, {silence:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_whose_first_address_leads_nowhere_costs_a_moment() -> Story {
    let Some(networks) = Networks::make()? else { return Ok(()) };
    // What is for this address vanishes on the server's machine without a word.
    networks.on_machine("-6 route add fd66:dead::/64 via fd66:1::1")?;
    networks.on_server("-6 route add blackhole fd66:dead::/64")?;
    let (_server, port) = start_server(&networks).await?;
    let peer = Program::example("peer", "SOCKETIO_P2P_PEER")?.path().to_string_lossy().into_owned();
    let hosts = tempfile::NamedTempFile::new()?;
    // The mounts of `ip netns exec` are its own.
    let script =
        format!("mount --bind {} /etc/hosts && exec {peer} \"$@\"", hosts.path().display());
    let connect = || {
        let mut program = Program::new("ip");
        for arg in ["netns", "exec", &networks.machine, "sh", "-c", &script, "peer"] {
            program = program.arg(arg);
        }
        Peer::builder(format!("http://two.example:{port}"), "A").program(program).start()
    };
    let nowhere = "fd66:dead::1 two.example\n";

    std::fs::write(hosts.path(), format!("{nowhere}{SERVER} two.example\n"))?;
    let started = Instant::now();
    let a = connect().await?;
    let took = started.elapsed();
    a.quit().await?;

    // "A moment" is the point: the attempt with the first address is not waited for. How long it takes is measured in
    // the same run.
    std::fs::write(hosts.path(), nowhere)?;
    let started = Instant::now();
    let Err(StartError::Refused { code, .. }) = connect().await else {
        panic!("that address leads nowhere");
    };
    assert_eq!(code, "timeout");
    let failed = started.elapsed();
    println!("connected after {took:?}, and with the first address alone failed after {failed:?}");
    assert!(took < failed, "{took:?}, {failed:?}");
    Ok(())
}
