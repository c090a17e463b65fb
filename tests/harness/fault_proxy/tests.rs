//! Each fault does what its name says, to a server that sends back what comes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

/// The time for which something that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(150);

/// The longest wait for something that must come: only a test that hangs waits for it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

struct Story {
    proxy: FaultProxy,
    client: TcpStream,
    server: TcpStream,
}

impl Story {
    /// A connection through a proxy, and its end at the server.
    async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap(), 1).await.unwrap();
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut story = Self { proxy, client, server };
        story.says("hello").await;
        story.answers("hello").await;
        story
    }

    /// The server hears what the client says.
    async fn says(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
        hears(&mut self.server, text).await;
    }

    /// The client hears what the server says.
    async fn answers(&mut self, text: &str) {
        self.server.write_all(text.as_bytes()).await.unwrap();
        hears(&mut self.client, text).await;
    }

    fn suffers(&self, fault: Fault) {
        assert!(self.proxy.inject(fault));
        assert_eq!(self.proxy.counts().of(fault.kind()), 1);
    }
}

async fn hears(socket: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    timeout(PATIENCE, socket.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, text.as_bytes());
}

async fn hears_nothing(socket: &mut TcpStream) {
    let heard = timeout(SILENCE, socket.read_u8()).await;
    assert!(heard.is_err(), "{heard:?}");
}

async fn is_reset(socket: &mut TcpStream) {
    let error = timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

async fn is_finished(socket: &mut TcpStream) {
    assert_eq!(timeout(PATIENCE, socket.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn without_a_fault_everything_is_carried_and_so_is_the_end() {
    let mut story = Story::new().await;

    let text = "all of it ".repeat(100_000);
    let (mut read, mut write) = story.client.split();
    let mut back = vec![0; text.len()];
    let (mut server_read, mut server_write) = story.server.split();
    tokio::join!(
        async { write.write_all(text.as_bytes()).await.unwrap() },
        async {
            let mut echoed = (&mut server_read).take(text.len() as u64);
            tokio::io::copy(&mut echoed, &mut server_write).await.unwrap();
        },
        async { _ = timeout(PATIENCE, read.read_exact(&mut back)).await.unwrap().unwrap() },
    );
    assert_eq!(back, text.as_bytes());
    story.client.shutdown().await.unwrap();
    is_finished(&mut story.server).await;
    story.answers("last words").await;
    drop(story.server);
    is_finished(&mut story.client).await;

    assert_eq!(story.proxy.counts().total(), 0);
    story.proxy.stop().await;
}

#[tokio::test]
async fn a_delay_holds_every_piece_back() {
    let mut story = Story::new().await;
    let by = Duration::from_millis(80);
    story.suffers(Fault::Delay { by, lasts: LONG });

    let since = Instant::now();
    story.says("late").await;
    story.answers("later").await;

    assert!(since.elapsed() >= 2 * by, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_reset_is_told_to_both_ends() {
    let mut story = Story::new().await;

    story.suffers(Fault::Reset);

    is_reset(&mut story.client).await;
    is_reset(&mut story.server).await;
}

#[tokio::test]
async fn an_end_is_told_to_both_ends() {
    let mut story = Story::new().await;

    story.suffers(Fault::Finish);

    is_finished(&mut story.client).await;
    is_finished(&mut story.server).await;
}

#[tokio::test]
async fn what_is_half_open_swallows_the_one_direction_and_its_end() {
    let mut story = Story::new().await;

    story.suffers(Fault::HalfOpen(Ways::Up));
    story.answers("do you hear me?").await;
    story.client.write_all(b"yes").await.unwrap();
    hears_nothing(&mut story.server).await;
    drop(story.client);
    hears_nothing(&mut story.server).await;
    // Nor is the server told that nobody reads any more.
    story.server.write_all(b"hello?").await.unwrap();
    hears_nothing(&mut story.server).await;

    assert_eq!(story.proxy.connections(), 1);
    assert!(!story.proxy.inject(Fault::Reset), "a lost connection is no victim");
    drop(story.server);
}

#[tokio::test]
async fn what_is_half_open_may_swallow_both_directions() {
    let mut story = Story::new().await;

    story.suffers(Fault::HalfOpen(Ways::Both));
    story.client.write_all(b"hello?").await.unwrap();
    story.server.write_all(b"hello?").await.unwrap();

    hears_nothing(&mut story.client).await;
    hears_nothing(&mut story.server).await;
}

#[tokio::test]
async fn a_throttle_takes_only_so_many_bytes_a_second() {
    let mut story = Story::new().await;
    story.suffers(Fault::Throttle { rate: 10_000, lasts: LONG });

    let since = Instant::now();
    story.says(&"x".repeat(2_000)).await;

    let took = since.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

#[tokio::test]
async fn what_is_split_arrives_in_small_pieces() {
    let mut story = Story::new().await;
    story.suffers(Fault::Split { most: 3, lasts: LONG });

    let text = "0123456789".repeat(20);
    story.client.write_all(text.as_bytes()).await.unwrap();
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while pieces.concat().len() < text.len() {
        let mut piece = vec![0; text.len()];
        let length = timeout(PATIENCE, story.server.read(&mut piece)).await.unwrap().unwrap();
        piece.truncate(length);
        pieces.push(piece);
    }

    assert_eq!(pieces.concat(), text.as_bytes());
    assert!(pieces.len() > 5, "in {} pieces", pieces.len());
}

#[tokio::test]
async fn what_is_merged_arrives_in_one_piece() {
    let mut story = Story::new().await;
    story.suffers(Fault::Merge { within: Duration::from_secs(2), lasts: LONG });

    story.client.set_nodelay(true).unwrap();
    for word in ["one ", "two ", "three"] {
        story.client.write_all(word.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }

    let mut piece = [0; 64];
    let length = timeout(PATIENCE, story.server.read(&mut piece)).await.unwrap().unwrap();
    assert_eq!(piece[..length], *b"one two three");
}

#[tokio::test]
async fn what_is_frozen_goes_on_where_it_was() {
    let mut story = Story::new().await;
    let lasts = Duration::from_millis(500);
    let since = Instant::now();
    story.suffers(Fault::Freeze { lasts });

    story.says("patience").await;

    assert!(since.elapsed() >= lasts, "{:?}", since.elapsed());
    story.answers("at last").await;
}

#[tokio::test]
async fn healing_ends_what_lasts() {
    let mut story = Story::new().await;
    story.suffers(Fault::Freeze { lasts: LONG });
    story.client.write_all(b"patience").await.unwrap();
    hears_nothing(&mut story.server).await;

    story.proxy.heal();

    hears(&mut story.server, "patience").await;
}

#[tokio::test]
async fn a_schedule_is_followed_until_it_heals() {
    let mut story = Story::new().await;

    story.proxy.follow(Schedule::new(1, 1_000.0).kinds(&[Kind::Split, Kind::Merge]));
    timeout(PATIENCE, story.proxy.injected(20)).await.unwrap();
    story.proxy.heal();

    let counts = story.proxy.counts();
    assert!(counts.of(Kind::Split) > 0 && counts.of(Kind::Merge) > 0, "{counts}");
    assert_eq!(counts.total(), counts.of(Kind::Split) + counts.of(Kind::Merge));
    story.says("fine again").await;
}

#[tokio::test]
async fn all_connections_can_be_cut_and_none_is_left_at_the_end() {
    let mut story = Story::new().await;

    assert_eq!(story.proxy.cut_all(), 1);
    is_reset(&mut story.client).await;
    story.proxy.stop().await;

    is_reset(&mut story.server).await;
}
