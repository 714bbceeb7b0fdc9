//! The published scenarios of admission, and the access matrix.

mod admission;
mod backlog;
mod case;
mod direct;
mod guilds;
mod matrix;
mod mentions;
mod oracle;
mod scene;
mod writing;
