//! The whole of Backstop as its users meet it: paths, pages, the log, the commands.

use backstop::sim::{Act, Provider};
use bytes::Bytes;

use crate::support::{Call, Program, proxy, route_to};

mod commands;
mod log;
mod models;
mod pages;
mod without_file;
