//! Programs in Node, with the packages they need.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

/// The time that npm may take.
const INSTALL: Duration = Duration::from_secs(180);

/// An npm project in the system's folder of temporary files.
#[derive(Clone, Copy, Debug)]
pub struct NpmProject {
    /// The name of its folder.
    pub name: &'static str,
    /// Its files, compiled in so that the binary can be moved: `package.json` and programs.
    pub files: &'static [(&'static str, &'static str)],
    /// The packages that programs need. They are installed when one is missing.
    pub packages: &'static [&'static str],
}

impl NpmProject {
    /// Writes the files and installs the packages.
    ///
    /// # Errors
    ///
    /// If there is no npm, or it cannot reach its registry.
    pub async fn install(&self) -> Result<()> {
        let folder = self.folder();
        std::fs::create_dir_all(&folder)?;
        for (name, content) in self.files {
            std::fs::write(folder.join(name), content)?;
        }
        let is_there = |package: &&str| folder.join("node_modules").join(package).is_dir();
        if self.packages.iter().all(is_there) {
            return Ok(());
        }
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
        npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let status = timeout(INSTALL, npm.status()).await.context("npm takes too long")?;
        let packages = self.packages.join(" and ");
        ensure!(status.context("no npm")?.success(), "npm cannot install {packages}");
        Ok(())
    }

    /// One of its programs, as a command.
    #[must_use]
    pub fn node(&self, program: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(self.folder().join(program)).env("NODE_ENV", "production");
        node
    }

    fn folder(&self) -> PathBuf {
        std::env::temp_dir().join(self.name)
    }
}
