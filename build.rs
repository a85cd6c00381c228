//! Makes cargo notice a new build of the explorer, which release builds embed from `web/dist`.
//!
//! The folder is made when it is missing: a path that does not exist would make every build start anew.

fn main() -> std::io::Result<()> {
    std::fs::create_dir_all("web/dist")?;
    println!("cargo::rerun-if-changed=web/dist");
    Ok(())
}
