mod answers;
mod bound;
mod fake_door;
mod parsing;
