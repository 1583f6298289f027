//! Over the pipes of a child: the client starts the server.

use super::Row;
use super::clients::{
    ECHO, LIST, NO_METHOD, PYTHON_AUTO, PYTHON_LEGACY, PYTHON_PINNED, V1, V2_AUTO, V2_LEGACY, V2_PINNED,
};
use super::servers::{Server, Way};
use crate::interop::stage::Stage;

const DEMO: Server = Server::demo("demo", Way::Child(Stage::demo));
const EVERYTHING: Server = Server::everything("server-everything", Way::Child(Stage::everything));
const PYTHON: Server = Server::python("Python SDK server", Way::Child(Stage::python_server));

pub(super) const ROWS: &[Row] = &[
    Row::new("stdio-everything-list", LIST, &EVERYTHING),
    Row::new("stdio-everything-echo", ECHO, &EVERYTHING),
    Row::new("stdio-everything-error", NO_METHOD, &EVERYTHING),
    Row::new("stdio-python-list", LIST, &PYTHON),
    Row::new("stdio-python-echo", ECHO, &PYTHON),
    Row::new("stdio-python-error", NO_METHOD, &PYTHON),
    Row::new("stdio-from-v1", V1, &DEMO),
    Row::new("stdio-from-v2-legacy", V2_LEGACY, &DEMO),
    Row::new("stdio-from-v2-auto", V2_AUTO, &DEMO),
    Row::new("stdio-from-v2-modern", V2_PINNED, &DEMO),
    Row::new("stdio-from-python", PYTHON_LEGACY, &DEMO),
    Row::new("stdio-from-python-auto", PYTHON_AUTO, &DEMO),
    Row::new("stdio-from-python-modern", PYTHON_PINNED, &DEMO),
];
