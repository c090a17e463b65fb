//! Cuts the blocks of Rust out of the READMEs and doc comments that their own documentation tests only compile, and makes a
//! module of each: a server that a test has started takes the place of the address.

use std::{env, fmt::Write as _, fs, io, path::Path};

/// What is swapped, so that a block finds a server of its test, or binds a port of its own.
const SWAPS: [(&str, &str); 7] = [
    ("\"http://127.0.0.1:9000\"", "crate::server()"),
    ("\"http://localhost:9000\"", "crate::server()"),
    ("\"https://example.org\"", "crate::server()"),
    (
        "QuickAckListener::bind(\"127.0.0.1:9000\").await?",
        "crate::bound(QuickAckListener::bind(\"127.0.0.1:0\").await?)",
    ),
    (":stun.example.org:", ":127.0.0.1:"),
    (":turn.example.org:", ":127.0.0.1:"),
    ("\"/run/secrets/token\"", "concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/Cargo.toml\")"),
];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![root.join("README.md")];
    for folder in ["client-plugin", "server-plugin"] {
        files.push(root.join(folder).join("README.md"));
        add_sources(&root.join(folder).join("src"), &mut files)?;
    }
    files.sort();

    let mut modules = String::new();
    let mut names = Vec::new();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let text = fs::read_to_string(file)?;
        let stem = name(file.strip_prefix(&root).unwrap_or(file));
        for block in blocks(&text) {
            let module = module(&block);
            let first = module.functions.first().map_or("none", String::as_str);
            let mut name = format!("{stem}_{first}");
            for number in 2.. {
                if !names.contains(&name) {
                    break;
                }
                name = format!("{stem}_{first}_{number}");
            }
            _ = writeln!(
                modules,
                "#[allow(warnings, clippy::all, clippy::pedantic, clippy::nursery)]"
            );
            _ = writeln!(modules, "#[allow(clippy::disallowed_methods)]\npub mod {name} {{");
            _ = writeln!(modules, "{}}}", module.text);
            names.push(name);
        }
    }
    _ = writeln!(modules, "pub(crate) const ALL: [&str; {}] = {names:?};", names.len());
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("blocks.rs"), modules)
}

fn add_sources(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_sources(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the name of a file as part of that of a module: `client_api_ext`, `server_readme`.
fn name(file: &Path) -> String {
    let path = file.with_extension("").to_string_lossy().to_lowercase();
    path.replace("-plugin", "").replace("/src/", "/").replace('/', "_")
}

/// Returns the blocks of a file, in Markdown or in doc comments, that nothing else runs.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    let mut is_other = false;
    for line in text.lines() {
        let comment = line.trim_start();
        let line = ["/// ", "//! ", "///", "//!"]
            .iter()
            .find_map(|marker| comment.strip_prefix(marker))
            .unwrap_or(line);
        match (line.strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some("no_run" | "rust,no_run"), None) if !is_other => block = Some(String::new()),
            (Some(_), None) => is_other = !is_other,
            (None, Some(block)) => {
                // Hidden lines.
                let line = line.trim_start().strip_prefix("# ").unwrap_or(line);
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

struct Module {
    text: String,
    functions: Vec<String>,
}

/// Makes a module of a block, whose functions a test may call. One that makes a builder gets a function that returns it.
fn module(block: &str) -> Module {
    let mut block = block.to_owned();
    for (shown, run) in SWAPS {
        block = block.replace(shown, run);
    }
    let is_function = |line: &&str| line.starts_with("fn ") || line.starts_with("async fn ");
    if block.lines().any(|line| line.starts_with("let builder = ")) {
        let text = format!(
            "pub fn builder() -> socketio_p2p_client::P2pBuilder {{\n{block}\nbuilder\n}}\n"
        );
        return Module { text, functions: vec!["builder".to_owned()] };
    }
    let functions = block.lines().filter(is_function).filter_map(|line| {
        let name = line.split("fn ").nth(1)?.split(['(', '<']).next()?;
        Some(name.to_owned())
    });
    let functions = functions.collect();
    let mut text = String::new();
    for line in block.lines() {
        let visible = if is_function(&line) { "pub " } else { "" };
        _ = writeln!(text, "{visible}{line}");
    }
    Module { text, functions }
}
