//! The real binary, driven from outside: one file of tests for each family of attacks. It holds no code of its own.
