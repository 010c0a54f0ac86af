//! Tables of events for the machine.
