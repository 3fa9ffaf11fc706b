//! `din-export demo`
use super::CommandResult;
#[derive(clap::Args)]
pub struct Arguments {}
pub fn run(_: &Arguments, _: bool) -> CommandResult { Ok(()) }
