//! `/api/v1/monitoring/`, and the jobs behind what it shows.

mod alerts;
mod events;
mod jobs;
mod overview;
