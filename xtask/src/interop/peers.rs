//! Installs what tests/peers pins, into `target/peers`, once per content of the lock files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process;
use crate::Outcome;
use crate::workspace::Workspace;

/// A registry on a slow day.
const INSTALL_DEADLINE: Duration = Duration::from_secs(600);

/// Where other people's programs are.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) node: PathBuf,
    /// Packages, and the client scripts beside them: Node looks for packages from where the script is.
    pub(crate) node_home: PathBuf,
    pub(crate) everything: PathBuf,
    /// The interpreter that has the packages.
    pub(crate) python: PathBuf,
    /// The scripts.
    pub(crate) python_home: PathBuf,
    pub(crate) python_server: PathBuf,
}

pub(crate) fn install(workspace: &Workspace) -> Outcome<Peers> {
    let scripts = workspace.root.join("tests/peers");
    let home = workspace.target.join("peers");
    let (node_home, python_home) = (home.join("node"), home.join("python"));

    packages(&scripts.join("node"), &node_home)?;
    let python = environment(&scripts.join("python"), &python_home)?;

    Ok(Peers {
        node: "node".into(),
        everything: node_home.join("node_modules/.bin/mcp-server-everything"),
        node_home,
        python,
        python_server: scripts.join("python/server.py"),
        python_home: scripts.join("python"),
    })
}

/// Installs into `home` the packages of Python that `from` pins; its interpreter.
pub(crate) fn environment(from: &Path, home: &Path) -> Outcome<PathBuf> {
    let python = home.join("bin/python");
    once(home, &[from.join("requirements.txt")], |files| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(home);
        program(venv, "Python 3.11 with venv")?;
        let mut pip = Command::new(&python);
        // Wheels only: what builds here would depend on what is installed here.
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]);
        for file in files {
            pip.arg("--requirement").arg(file);
        }
        program(pip, "pip")?;
        let mut check = Command::new(&python);
        check.args(["-m", "pip", "check"]);
        program(check, "pip")
    })?;
    Ok(python)
}

/// Installs into `home` the packages of Node that `from` pins, and copies the scripts beside them: Node looks for
/// packages from where the script is.
pub(crate) fn packages(from: &Path, home: &Path) -> Outcome {
    once(home, &[from.join("package.json"), from.join("package-lock.json")], |files| {
        for file in files {
            copy(file, home)?;
        }
        let mut npm = Command::new("npm");
        npm.current_dir(home);
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        program(npm, "Node 20 with npm")
    })?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            copy(&path, home)?;
        }
    }
    Ok(())
}

/// Fills `home` with what `files` ask for, unless they are what it was filled with.
fn once(home: &Path, files: &[PathBuf], fill: impl FnOnce(&[PathBuf]) -> Outcome) -> Outcome {
    let mut wanted = Vec::new();
    for file in files {
        wanted.extend(fs::read(file)?);
    }
    let stamp = home.join("installed-from");
    if fs::read(&stamp).is_ok_and(|seen| seen == wanted) {
        return Ok(());
    }
    println!("installing into {}", home.display());
    match fs::remove_dir_all(home) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(home)?,
    }
    fill(files)?;
    // Last, so that half an installation is none.
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Runs an installer; `what` names it for those who do not have it.
pub(crate) fn program(command: Command, what: &str) -> Outcome {
    let name = command.get_program().to_string_lossy().into_owned();
    let seen = process::run(command, INSTALL_DEADLINE)
        .map_err(|error| format!("{name} does not start ({error}); {what} is needed"))?;
    if seen.status.success() {
        return Ok(());
    }
    Err(format!("{name} failed\n{}", seen.report()).into())
}

fn copy(file: &Path, to: &Path) -> Outcome {
    let name = file.file_name().ok_or("a file has a name")?;
    fs::copy(file, to.join(name))?;
    Ok(())
}
