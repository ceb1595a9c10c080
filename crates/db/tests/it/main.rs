//! The database against a real PostgreSQL: its contract, its adoption of earlier databases, its walls between tenants.

mod adoption;
mod adoption_obstacles;
mod attacks;
mod audit_trail;
mod catalog;
mod contract;
mod isolation;
mod lockout;
mod migration;
mod partitions;
mod pool;
mod seeds;
mod statements;
mod support;
